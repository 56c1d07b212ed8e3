package batch_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/batch/batchtest"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// Whoever forms a file says how much at most, of where and in which form; each of
// these is missed by itself.
func TestAFileOfNothingIsNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		twist func(*batch.Batch)
		want  error
	}{
		"one payee of one fen": {func(b *batch.Batch) { b.Most = batch.Tally{Count: 1, Fen: 1} }, nil},
		"nobody":               {func(b *batch.Batch) { b.Most.Count = 0 }, batch.ErrNothing},
		"no money":             {func(b *batch.Batch) { b.Most.Fen = 0 }, batch.ErrNothing},
		"nowhere":              {func(b *batch.Batch) { b.Townships = nil }, batch.ErrNothing},
		"in no form":           {func(b *batch.Batch) { b.Layout = "" }, batch.ErrNothing},
	} {
		b := batch.Batch{ID: "f", Townships: []civil.DivisionCode{"320402001000"}, Most: batch.Tally{Count: 5, Fen: 5}, Layout: "yikatong-1"}
		c.twist(&b)
		got, err := batch.New(b, anna, at)
		if !errors.Is(err, c.want) || c.want == nil && (got.Version != 1 || got.State != batch.Proposed || got.Proposed.By != anna || !got.Since.Equal(at)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Only a member of staff whose account and person are known proposes, releases
// and withdraws.
func TestOnlyAPersonActs(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]event.Actor{
		"no account":  {Kind: event.Staff, Person: "b1.carl"},
		"no person":   {Kind: event.Staff, ID: "finance-3"},
		"a machine":   {Kind: event.System, ID: "finance-3", Person: "b1.carl"},
		"an outsider": {Kind: event.Citizen, ID: "finance-3", Person: "b1.carl"},
	} {
		if _, err := batch.New(proposed(t), who, at); !errors.Is(err, batch.ErrPerson) {
			t.Errorf("%s proposes: %v", name, err)
		}
		if _, err := proposed(t).Release(who, at); !errors.Is(err, batch.ErrPerson) {
			t.Errorf("%s releases: %v", name, err)
		}
		if _, err := proposed(t).Cancel(who, at); !errors.Is(err, batch.ErrPerson) {
			t.Errorf("%s withdraws: %v", name, err)
		}
	}
	// One is enough to not pay, also the one who proposed it.
	b, err := proposed(t).Cancel(anna, at.Add(time.Minute))
	if b = then(t, b, err); b.State != batch.Cancelled || !b.Next.IsZero() || b.Version != 2 || b.Cancelled.By != anna || !b.Since.Equal(at.Add(time.Minute)) {
		t.Errorf("%+v", b)
	}
}

// A file takes exactly what was released, and no more than the bank takes.
func TestAFileIsFilledToItsLimits(t *testing.T) {
	t.Parallel()
	released, err := proposed(t).Release(bert, at)
	released = then(t, released, err)
	full, err := released.Filled(lines(5), batch.Mark{Township: 2}, at.Add(time.Second))
	if full = then(t, full, err); full.Lines != full.Most || full.Pages != 1 || full.Mark.Township != 2 || !full.Since.Equal(at) || !full.Next.Equal(at.Add(time.Second)) {
		t.Errorf("all that was released: %+v", full)
	}
	if room := full.Room(batch.MaxLines); room != (batch.Tally{}) {
		t.Errorf("there is room for %+v", room)
	}
	if _, err := full.Filled([]batch.Line{{AmountFen: 0}}, batch.Mark{}, at); !errors.Is(err, batch.ErrNothing) {
		t.Errorf("a payee more, of no money: %v", err)
	}
	looked, err := full.Filled(nil, batch.Mark{Township: 3}, at)
	if looked = then(t, looked, err); looked.Pages != 1 || looked.Mark.Township != 3 {
		t.Errorf("a look that found nobody made a page: %+v", looked)
	}
	part, err := released.Filled(lines(3), batch.Mark{}, at)
	part = then(t, part, err)
	for most, want := range map[int]batch.Tally{4: {Count: 1, Fen: 2_000_00}, 9: {Count: 2, Fen: 2_000_00}} {
		if room := part.Room(most); room != want {
			t.Errorf("of a bank that takes %d: %+v", most, room)
		}
	}
}

// What is stored of the bytes is whole, or it is not said to be stored.
func TestBytesAreStoredBeforeAFileIsReady(t *testing.T) {
	t.Parallel()
	b, err := proposed(t).Release(bert, at)
	b = then(t, b, err)
	b, err = b.Filled(lines(1), batch.Mark{}, at)
	b = then(t, b, err)
	b, err = b.Complete(at)
	if b = then(t, b, err); b.State != batch.Sealing || !b.Next.Equal(at) {
		t.Errorf("%+v", b)
	}
	if _, err := b.Sealed("", 1, 1, at); !errors.Is(err, batch.ErrState) {
		t.Errorf("without a digest: %v", err)
	}
	if _, err := b.Sealed("d", 0, 0, at); !errors.Is(err, batch.ErrState) {
		t.Errorf("in no parts: %v", err)
	}
	b, err = b.Sealed("d", 7, 1, at)
	if b = then(t, b, err); b.State != batch.Ready || b.Bytes != 7 || b.Chunks != 1 {
		t.Errorf("%+v", b)
	}
}

// A file that is to wait is not sent before its time, and when it first went
// stays known.
func TestAFileGoesWhenItIsTime(t *testing.T) {
	t.Parallel()
	first := sending(t)
	if !first.SentAt.Equal(at) || !first.Next.Equal(at.Add(batch.Lease)) || batch.Lease != 2*time.Minute {
		t.Errorf("sent %v, owed %v", first.SentAt, first.Next)
	}
	b, _, _, err := first.Reply(said(first, payout.Silence), at)
	b = then(t, b, err)
	b, kind, alarm, _, err := b.Answer(said(b, payout.Short), at)
	if b = then(t, b, err); b.State != batch.Ready || kind != "not_found" || alarm != batch.AlarmShort {
		t.Fatalf("%s %s %s", b.State, kind, alarm)
	}
	if pause := b.Next.Sub(at); pause != 15*time.Minute {
		t.Errorf("an account that is short is tried again after %v", pause)
	}
	if _, err := b.Claim(b.Next.Add(-1)); !errors.Is(err, batch.ErrState) {
		t.Errorf("sent before its time: %v", err)
	}
	again, err := b.Claim(b.Next)
	if again = then(t, again, err); !again.SentAt.Equal(at) || again.State != batch.Sending {
		t.Errorf("first sent %v", again.SentAt)
	}
}

// The bank speaks of our bytes when digest, number of lines and total are ours;
// one that differs is enough to stop.
func TestAnyDifferenceFreezesTheFile(t *testing.T) {
	t.Parallel()
	for name, twist := range map[string]func(*rail.FileSaid){
		"digest":   func(s *rail.FileSaid) { s.Digest = "x" },
		"a line":   func(s *rail.FileSaid) { s.Lines-- },
		"a fen":    func(s *rail.FileSaid) { s.TotalFen++ },
		"nothing":  func(*rail.FileSaid) {},
		"all told": func(s *rail.FileSaid) { s.Digest, s.Lines, s.TotalFen = "", 0, 0 },
	} {
		want := batch.Frozen
		if name == "nothing" {
			want = batch.Submitted
		}
		s := said(sending(t), payout.Processing)
		twist(&s)
		b, _, _, err := sending(t).Reply(s, at)
		if b = then(t, b, err); b.State != want || b.Accepted != (want == batch.Submitted) {
			t.Errorf("%s, at once: %s, accepted %v", name, b.State, b.Accepted)
		}
		if b, _, _, _, err = sending(t).Answer(s, at); err != nil || b.State != want {
			t.Errorf("%s, when asked: %s, %v", name, b.State, err)
		}
		if want == batch.Frozen && !b.Next.Equal(at.Add(15*time.Minute)) {
			t.Errorf("%s: asked again at %v", name, b.Next)
		}
	}
}

// Questions are spaced out while nothing new is heard, and are quick again after
// something was.
func TestQuestionsAboutAFileAreSpacedOut(t *testing.T) {
	t.Parallel()
	b := sending(t)
	b, _, _, err := b.Reply(said(b, payout.Silence), at)
	b = then(t, b, err)
	for n, want := range []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		if pause := b.Next.Sub(at); pause != want {
			t.Errorf("question %d comes after %v, not %v", n+1, pause, want)
		}
		b, _, _, _, err = b.Answer(said(b, payout.Silence), at)
		b = then(t, b, err)
	}
	taken, err := b.Take(1, "r", 1, at)
	taken = then(t, taken, err)
	open, _, err := taken.Done(map[payout.Word]batch.Tally{}, at)
	if open = then(t, open, err); open.State != batch.Submitted || open.Next.Sub(at) != 2*time.Second {
		t.Errorf("after a return file: asked after %v", open.Next.Sub(at))
	}
	again, kind, _, _, err := open.Answer(said(open, payout.Silence), at)
	if again = then(t, again, err); kind != "asked" || again.Next.Sub(at) != 5*time.Second {
		t.Errorf("%s after %v", kind, again.Next.Sub(at))
	}
	replied, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	if replied = then(t, replied, err); replied.Next.Sub(at) != 2*time.Second || replied.Asked != 1 {
		t.Errorf("after the bank took it: %v", replied.Next.Sub(at))
	}
	short, _, _, err := sending(t).Reply(said(sending(t), payout.Short), at)
	if short = then(t, short, err); short.Next.Sub(at) != 15*time.Minute {
		t.Errorf("after it had not enough: %v", short.Next.Sub(at))
	}
}

// How soon a file is asked about depends on what can still come and on its age.
func TestWhenAFileIsAskedAbout(t *testing.T) {
	t.Parallel()
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	unknown, _, _, err := sending(t).Reply(said(sending(t), payout.Silence), at)
	unknown = then(t, unknown, err)
	never, _, _, err := sending(t).Reply(said(sending(t), payout.Conflict), at)
	never = then(t, never, err)
	held, _, _, _, err := submitted.Answer(said(submitted, payout.Conflict), at)
	held = then(t, held, err)
	taken, err := submitted.Take(1, "r", 1, at)
	taken = then(t, taken, err)
	settled, _, err := taken.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: 1}, payout.Declined: {Count: 1}, payout.SentBack: {Count: 1}}, at)
	if settled = then(t, settled, err); settled.State != batch.Settled || settled.Next.Sub(at) != time.Hour {
		t.Errorf("every line has an outcome: %s, asked after %v", settled.State, settled.Next.Sub(at))
	}
	rejecting, _, _, _, err := unknown.Answer(said(unknown, payout.Declined), at)
	if rejecting = then(t, rejecting, err); !rejecting.Accepted || rejecting.Asked != 0 {
		t.Errorf("%+v", rejecting)
	}
	rejected, _, err := rejecting.Done(nil, at)
	if rejected = then(t, rejected, err); rejected.Next.Sub(at) != time.Hour || rejected.Taking != nil {
		t.Errorf("a rejected file is asked about after %v", rejected.Next.Sub(at))
	}
	const day = 24 * time.Hour
	if batch.Watched != 60*day || batch.Unresolved != day {
		t.Errorf("watched for %v, unresolved after %v", batch.Watched, batch.Unresolved)
	}
	for name, c := range map[string]struct {
		b     batch.Batch
		age   time.Duration
		state batch.State
		pause time.Duration // 0: never again
		kind  string
		alarm string
	}{
		"settled, on the first day":                   {settled, day - 1, batch.Settled, time.Hour, "asked", ""},
		"settled, from the second day":                {settled, day, batch.Settled, 12 * time.Hour, "asked", ""},
		"settled, to the last moment":                 {settled, batch.Watched - 1, batch.Settled, 12 * time.Hour, "asked", ""},
		"settled, watched long enough":                {settled, batch.Watched, batch.Settled, 0, "watched", ""},
		"rejected, on the first day":                  {rejected, day - 1, batch.Rejected, time.Hour, "asked", ""},
		"rejected, watched long enough":               {rejected, batch.Watched, batch.Rejected, 0, "watched", ""},
		"frozen, never held":                          {never, day - 1, batch.Frozen, 12 * time.Hour, "asked", ""},
		"frozen, once held":                           {held, day - 1, batch.Submitted, 5 * time.Second, "asked", ""},
		"frozen, once held, to the last moment":       {held, batch.Watched - 1, batch.Submitted, 5 * time.Second, "asked", batch.AlarmUnresolved},
		"frozen, once held, and nothing came of it":   {held, batch.Watched, batch.Frozen, 12 * time.Hour, "asked", ""},
		"nobody knows, a moment before it is old":     {unknown, day - 1, batch.Unknown, 5 * time.Second, "asked", ""},
		"nobody knows, and it is old":                 {unknown, day, batch.Unknown, 5 * time.Second, "asked", batch.AlarmUnresolved},
		"the bank has it, a moment before it is old":  {submitted, day - 1, batch.Submitted, 5 * time.Second, "asked", ""},
		"the bank has it, and it is old":              {submitted, day, batch.Submitted, 5 * time.Second, "asked", batch.AlarmUnresolved},
		"its sender died, and there was no answer":    {sending(t), time.Minute, batch.Unknown, 2 * time.Second, "asked", ""},
		"its sender died a day ago, and nobody knows": {sending(t), day, batch.Unknown, 2 * time.Second, "asked", batch.AlarmUnresolved},
	} {
		now := at.Add(c.age)
		got, kind, alarm, wants, err := c.b.Answer(said(c.b, payout.Silence), now)
		next := time.Time{}
		if c.pause > 0 {
			next = now.Add(c.pause)
		}
		if err != nil || wants || got.State != c.state || !got.Next.Equal(next) || kind != c.kind || alarm != c.alarm || got.Asked < c.b.Asked {
			t.Errorf("%s: %s, after %v, %s %q, %v", name, got.State, got.Next.Sub(now), kind, alarm, err)
		}
	}
	// Each answer that brings nothing new is counted.
	if got, _, _, _, err := settled.Answer(said(settled, payout.Silence), at); err != nil || got.Asked != settled.Asked+1 {
		t.Errorf("%d after %d, %v", got.Asked, settled.Asked, err)
	}
}

// A return file is fetched when it is a newer edition, or the same one with other
// bytes, and was not refused before.
func TestWhichReturnFilesAreNews(t *testing.T) {
	t.Parallel()
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	taken, err := submitted.Take(2, "r2", 1, at)
	taken = then(t, taken, err)
	open, _, err := taken.Done(nil, at)
	open = then(t, open, err)
	if open.Edition != 2 || open.Returned != "r2" || open.Taking != nil || !open.Accepted {
		t.Errorf("%+v", open)
	}
	for name, c := range map[string]struct {
		b       batch.Batch
		edition int
		digest  string
		wants   bool
	}{
		"none":                       {submitted, 0, "", false},
		"none, and yet it has bytes": {submitted, 0, "r", false},
		"the first":                  {submitted, 1, "r1", true},
		"a newer one":                {open, 3, "r3", true},
		"the same":                   {open, 2, "r2", false},
		"the same, other bytes":      {open, 2, "other", true},
		"an older one":               {open, 1, "r1", false},
	} {
		s := said(c.b, payout.Processing)
		s.Edition, s.ReturnDigest = c.edition, c.digest
		if _, _, _, wants, err := c.b.Answer(s, at); err != nil || wants != c.wants {
			t.Errorf("%s: %v, %v", name, wants, err)
		}
	}
	if _, err := open.Take(3, "r3", 0, at); !errors.Is(err, batch.ErrState) {
		t.Errorf("in no parts: %v", err)
	}
	half, err := taken.Taken(2, at)
	half = then(t, half, err)
	if again, err := half.Taken(2, at); err != nil || again.Taking.NextPage != 2 { // after a death half way
		t.Errorf("the same page again: %v", err)
	}
	// The newest of those refused are remembered, in their order.
	b := submitted
	for i := range 53 {
		b, err = b.Park(strconv.Itoa(i), at)
		b = then(t, b, err)
		if n := min(i+1, 50); len(b.Parked) != n || b.Parked[n-1] != strconv.Itoa(i) || b.Parked[0] != strconv.Itoa(max(0, i-49)) {
			t.Fatalf("after %d: %v", i+1, b.Parked)
		}
	}
}

// A line whose outcome nobody understands is an alarm; a line without one keeps
// the file open.
func TestWhatAReturnFileSettles(t *testing.T) {
	t.Parallel()
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	taken, err := submitted.Take(1, "r", 1, at)
	taken = then(t, taken, err)
	for name, c := range map[string]struct {
		outcomes map[payout.Word]batch.Tally
		state    batch.State
		alarm    string
	}{
		"all paid":         {map[payout.Word]batch.Tally{payout.Succeeded: {Count: 3}}, batch.Settled, ""},
		"all declined":     {map[payout.Word]batch.Tally{payout.Declined: {Count: 3}}, batch.Settled, ""},
		"all came back":    {map[payout.Word]batch.Tally{payout.SentBack: {Count: 3}}, batch.Settled, ""},
		"one of each":      {map[payout.Word]batch.Tally{payout.Succeeded: {Count: 1}, payout.Declined: {Count: 1}, payout.SentBack: {Count: 1}}, batch.Settled, ""},
		"one not done":     {map[payout.Word]batch.Tally{payout.Succeeded: {Count: 2}, payout.Processing: {Count: 1}}, batch.Submitted, ""},
		"one not read":     {map[payout.Word]batch.Tally{payout.Succeeded: {Count: 2}, payout.Silence: {Count: 1}}, batch.Submitted, batch.AlarmUnclear},
		"none not read":    {map[payout.Word]batch.Tally{payout.Succeeded: {Count: 2}, payout.Silence: {Count: 0}}, batch.Submitted, ""},
		"nothing is known": {nil, batch.Submitted, ""},
	} {
		b, alarm, err := taken.Done(c.outcomes, at)
		if err != nil || b.State != c.state || alarm != c.alarm {
			t.Errorf("%s: %s %q, %v", name, b.State, alarm, err)
		}
	}
}

// What the machine owes next is pay's until the file has gone, and settle's from
// then on; the event says what the file has.
func TestWhoOwesAFileWhat(t *testing.T) {
	t.Parallel()
	released, err := proposed(t).Release(bert, at)
	released = then(t, released, err)
	filled, err := released.Filled(lines(1), batch.Mark{}, at)
	filled = then(t, filled, err)
	sealing, err := filled.Complete(at)
	sealing = then(t, sealing, err)
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	applying, err := submitted.Take(1, "r", 1, at)
	applying = then(t, applying, err)
	parked, err := submitted.Park("p", at)
	parked = then(t, parked, err)
	for name, c := range map[string]struct {
		b     batch.Batch
		queue work.Queue // "" is nobody
		facts []string   // beside those that every event has
	}{
		"proposed":   {proposed(t), "", nil},
		"released":   {released, work.Pay, nil},
		"complete":   {sealing, work.Pay, nil},
		"ready":      {ready(t), work.Pay, []string{"digest"}},
		"on its way": {sending(t), work.Settle, []string{"digest"}},
		"taken":      {submitted, work.Settle, []string{"digest"}},
		"returned":   {applying, work.Settle, []string{"digest", "return_digest", "return_edition"}},
		"parked":     {parked, work.Settle, []string{"digest", "parked"}},
	} {
		e := c.b.Event("x", anna, at)
		writes, err := c.b.Writes(e)
		if err != nil {
			t.Fatal(name, err)
		}
		var item table.Item
		for _, w := range writes {
			if w.Target() == batch.Key(c.b.ID) {
				switch w := w.(type) {
				case table.Put:
					item = w.Item
				case table.Replace:
					item = w.Item
				}
			}
		}
		due, q, owes := work.Owed(item)
		if owes != (c.queue != "") || q != c.queue || owes && !due.Equal(c.b.Next) {
			t.Errorf("%s is owed to %q at %v", name, q, due)
		}
		var more []string
		for f := range e.Facts {
			if !slices.Contains([]string{"state", "division", "lines", "total_fen", "most_lines", "most_fen", "edition"}, f) {
				more = append(more, f)
			}
		}
		if slices.Sort(more); !slices.Equal(more, c.facts) {
			t.Errorf("%s: the event has %v", name, more)
		}
	}
}

// Lines are numbered from 1 without a gap; what is stored otherwise was changed.
func TestPagesThatWereChanged(t *testing.T) {
	t.Parallel()
	s, x := embedded.Memory(), box(t)
	for name, c := range map[string]struct {
		twist func([]batch.Line)
		want  error
	}{
		"as it was":   {func([]batch.Line) {}, nil},
		"from two":    {func(l []batch.Line) { l[0].Number = 2 }, batch.ErrDamaged},
		"swapped":     {func(l []batch.Line) { l[0].Number, l[1].Number = 2, 1 }, batch.ErrDamaged},
		"a fen less":  {func(l []batch.Line) { l[1].AmountFen-- }, batch.ErrDamaged},
		"an overflow": {func(l []batch.Line) { l[0].AmountFen = money.Fen(1<<63 - 1) }, batch.ErrDamaged},
	} {
		b, part := proposed(t), lines(2)
		b.ID, b.Pages, b.Lines = "page "+name, 1, batch.Tally{Count: 2, Fen: 2_000_00}
		c.twist(part)
		w, err := batch.Page(t.Context(), x, b.ID, 1, part)
		if err == nil {
			err = s.Transact(t.Context(), w)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := batch.Full(t.Context(), s, x, b); !errors.Is(err, c.want) || c.want == nil && len(got) != 2 {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
}

// A file that was watched long enough is asked about no more.
func TestWhatIsAskedAboutNoMore(t *testing.T) {
	t.Parallel()
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	taken, err := submitted.Take(1, "r", 1, at)
	taken = then(t, taken, err)
	settled, _, err := taken.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: 3}}, at)
	settled = then(t, settled, err)
	over, _, _, _, err := settled.Answer(said(settled, payout.Silence), at.Add(batch.Watched))
	if over = then(t, over, err); over.Asks() || !settled.Asks() {
		t.Errorf("asked about: %v, and before that %v", over.Asks(), settled.Asks())
	}
}

// The people of a page are sealed apart; as many as there are lines, or nobody
// knows whose is whose.
func TestPagesWithoutTheirPeople(t *testing.T) {
	t.Parallel()
	s, x := embedded.Memory(), box(t)
	for name, sealed := range map[string]string{"too few": `[{"name":"试","account":"62220202"}]`, "too many": `[{},{},{}]`, "not to be read": `[`} {
		b, part := proposed(t), lines(2)
		b.ID, b.Pages, b.Lines = "people "+name, 1, batch.Tally{Count: 2, Fen: 2_000_00}
		key := table.Key{PK: batch.Partition(b.ID), SK: "PAGE#000001"}
		to, err := x.Seal(t.Context(), seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: "to"}, []byte(sealed))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"lines": part, "to": to})
		if err == nil {
			err = s.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: body}})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := batch.Full(t.Context(), s, x, b); !errors.Is(err, batch.ErrDamaged) {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
}

// Only the head of a file is the file.
func TestWhichKeyIsThatOfAFile(t *testing.T) {
	t.Parallel()
	for key, want := range map[table.Key]bool{
		batch.Key("f"): true, {PK: batch.Partition("f"), SK: "PAGE#000001"}: false, {PK: "APP#f", SK: "HEAD"}: false,
	} {
		if batch.Is(key) != want {
			t.Errorf("%v: %v", key, !want)
		}
	}
}

// Whoever looks for payouts of a file goes on past a township where nobody waits.
func TestCandidatesBeyondAnEmptyTownship(t *testing.T) {
	t.Parallel()
	r := batchtest.New(t, 2, "", nil)
	r.Wait(time.Minute)
	b := batch.Batch{Townships: []civil.DivisionCode{"320402009000", batchtest.Townships[0]}, Cutoff: r.Now()}
	found, mark, done, err := b.Candidates(t.Context(), r.Store, batch.Mark{}, 5)
	if err != nil || done || len(found) != 1 || mark.Township != 2 {
		t.Errorf("%d found, mark %+v, done %v, %v", len(found), mark, done, err)
	}
	if found, _, done, err := b.Candidates(t.Context(), r.Store, mark, 5); err != nil || !done || len(found) != 0 {
		t.Errorf("%d found after them, done %v, %v", len(found), done, err)
	}
}

// Of those who wait, the oldest is the first, and no more are counted than asked.
func TestTheOldestThatWaits(t *testing.T) {
	t.Parallel()
	const township = civil.DivisionCode("320402001000")
	s := embedded.Memory()
	for n, since := range []time.Time{at.Add(time.Hour), at, at.Add(2 * time.Hour)} {
		id := "app" + strconv.Itoa(n)
		body, err := json.Marshal(payout.Payout{State: payout.Due, Since: since, Award: award.Award{Application: id, AmountFen: 1_000_00 + money.Fen(n)}})
		if err == nil {
			err = s.Transact(t.Context(), table.Put{Item: table.Item{Key: payout.Key(id, "01"), Version: 1, Body: body,
				Places: []table.Place{{Index: table.ByWork, PK: payout.WaitingList(township), SK: work.Stamp(since)}}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for most, want := range map[int]batch.Waiting{
		0: {},
		1: {Tally: batch.Tally{Count: 1, Fen: 1_000_01}, Oldest: at},
		2: {Tally: batch.Tally{Count: 2, Fen: 2_000_01}, Oldest: at},
		9: {Tally: batch.Tally{Count: 3, Fen: 3_000_03}, Oldest: at},
	} {
		if w, err := batch.Waits(t.Context(), s, township, at.Add(3*time.Hour), most); err != nil || w.Tally != want.Tally || !w.Oldest.Equal(want.Oldest) {
			t.Errorf("%d at most: %+v, %v", most, w, err)
		}
	}
}
