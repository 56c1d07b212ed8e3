package batch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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

var (
	at   = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	anna = event.Actor{Kind: event.Staff, ID: "finance-1", Person: "b1.anna"}
	bert = event.Actor{Kind: event.Staff, ID: "finance-2", Person: "b1.bert"}
	self = event.Actor{Kind: event.System, ID: "pay"}
)

func proposed(t testing.TB) batch.Batch {
	t.Helper()
	b, err := batch.New(batch.Batch{ID: batch.ID("request"), Division: "320402000000", Townships: []civil.DivisionCode{"320402001000", "320402002000"},
		Cutoff: at, Most: batch.Tally{Count: 5, Fen: 5_000_00}, Layout: "yikatong-1"}, anna, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lines(n int) []batch.Line {
	var all []batch.Line
	for i := range n {
		all = append(all, batch.Line{Application: "app" + string(rune('a'+i)), Award: "01", Attempt: 1, Reference: "ref" + string(rune('a'+i)),
			AmountFen: 1_000_00, Payee: "digest", Number: i + 1, To: payout.Payee{Name: civil.StoredName("欧阳试金"), Account: civil.StoredAccount("62220202000")}})
	}
	return all
}

// then is b after a step that must succeed.
func then(t testing.TB, b batch.Batch, err error) batch.Batch {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ready(t testing.TB) batch.Batch {
	t.Helper()
	b, err := proposed(t).Release(bert, at)
	b = then(t, b, err)
	b, err = b.Filled(lines(3), batch.Mark{Township: 1}, at)
	b = then(t, b, err)
	b, err = b.Complete(at)
	b = then(t, b, err)
	b, err = b.Sealed(strings.Repeat("d", 64), 100, 1, at)
	return then(t, b, err)
}

func sending(t testing.TB) batch.Batch {
	t.Helper()
	b, err := ready(t).Claim(at)
	return then(t, b, err)
}

// said is a right statement about b.
func said(b batch.Batch, w payout.Word) rail.FileSaid {
	s := rail.FileSaid{Word: w, File: b.ID, Evidence: "e"}
	if w == payout.Processing || w == payout.Declined {
		s.Digest, s.Lines, s.TotalFen = b.Digest, b.Lines.Count, b.Lines.Fen
	}
	return s
}

func TestTwoPeople(t *testing.T) {
	t.Parallel()
	b := proposed(t)
	for name, who := range map[string]event.Actor{"the same": anna, "the same person": {Kind: event.Staff, ID: "other", Person: "b1.anna"},
		"the same account": {Kind: event.Staff, ID: "finance-1", Person: "b1.x"}, "nobody known": {Kind: event.Staff, ID: "x"}, "a machine": self} {
		if _, err := b.Release(who, at); !errors.Is(err, batch.ErrPerson) {
			t.Errorf("%s releases: %v", name, err)
		}
	}
	if _, err := batch.New(b, self, at); !errors.Is(err, batch.ErrPerson) {
		t.Error(err)
	}
	if _, err := b.Cancel(self, at); !errors.Is(err, batch.ErrPerson) {
		t.Error(err)
	}
	released, err := b.Release(bert, at)
	if err != nil || released.State != batch.Filling {
		t.Fatal(err)
	}
	for name, step := range map[string]func() error{
		"released twice":     func() error { _, err := released.Release(bert, at); return err },
		"cancelled too late": func() error { _, err := released.Cancel(anna, at); return err },
		"completed early":    func() error { _, err := b.Complete(at); return err },
		"filled early":       func() error { _, err := b.Filled(nil, batch.Mark{}, at); return err },
		"sealed early":       func() error { _, err := released.Sealed("d", 1, 1, at); return err },
		"unwritable early":   func() error { _, err := released.Unwritable(at); return err },
		"sent early":         func() error { _, err := released.Claim(at); return err },
		"sent twice":         func() error { _, err := sending(t).Claim(at); return err },
		"taken early":        func() error { _, err := ready(t).Take(1, "d", 1, at); return err },
		"parked early":       func() error { _, err := ready(t).Park("d", at); return err },
		"page of nothing":    func() error { _, err := sending(t).Taken(1, at); return err },
		"done with nothing":  func() error { _, _, err := sending(t).Done(nil, at); return err },
		"answer too early":   func() error { _, _, _, _, err := ready(t).Answer(rail.FileSaid{}, at); return err },
		"reply to nothing":   func() error { _, _, _, err := ready(t).Reply(rail.FileSaid{}, at); return err },
		"about another file": func() error { _, _, _, err := sending(t).Reply(rail.FileSaid{File: "x"}, at); return err },
		"answer of another":  func() error { _, _, _, _, err := sending(t).Answer(rail.FileSaid{File: "x"}, at); return err },
	} {
		if err := step(); !errors.Is(err, batch.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, empty := range []batch.Batch{{}, {Most: batch.Tally{Count: 1, Fen: 1}, Layout: "x"}, {Most: batch.Tally{Count: 1, Fen: 1}, Townships: b.Townships}} {
		if _, err := batch.New(empty, anna, at); !errors.Is(err, batch.ErrNothing) {
			t.Error(err)
		}
	}
	for _, s := range batch.States() {
		if s.Label() == "" {
			t.Errorf("%s has no Chinese name", s)
		}
	}
}

func TestNeverMoreThanWasReleased(t *testing.T) {
	t.Parallel()
	b, err := proposed(t).Release(bert, at)
	b = then(t, b, err)
	if room := b.Room(2); room.Count != 2 || room.Fen != 5_000_00 {
		t.Errorf("%+v", room)
	}
	if _, err := b.Filled(lines(6), batch.Mark{}, at); !errors.Is(err, batch.ErrNothing) {
		t.Errorf("six of five: %v", err)
	}
	dear := lines(1)
	dear[0].AmountFen = 5_000_01
	if _, err := b.Filled(dear, batch.Mark{}, at); !errors.Is(err, batch.ErrNothing) {
		t.Errorf("a fen more: %v", err)
	}
	dear[0].AmountFen = 1<<63 - 1
	if _, err := b.Filled(append(lines(1), dear...), batch.Mark{}, at); err == nil {
		t.Error("an overflow")
	}
	empty, err := b.Complete(at)
	if empty = then(t, empty, err); empty.State != batch.Empty || !empty.Next.IsZero() {
		t.Errorf("%s", empty.State)
	}
}

func TestWhatSendingBrings(t *testing.T) {
	t.Parallel()
	other := said(sending(t), payout.Processing)
	other.TotalFen++
	for name, c := range map[string]struct {
		s     rail.FileSaid
		to    batch.State
		alarm string
	}{
		"taken":             {said(sending(t), payout.Processing), batch.Submitted, ""},
		"another total":     {other, batch.Frozen, batch.AlarmFrozen},
		"conflict":          {said(sending(t), payout.Conflict), batch.Frozen, batch.AlarmFrozen},
		"no money":          {said(sending(t), payout.Short), batch.Unknown, batch.AlarmShort},
		"silence":           {said(sending(t), payout.Silence), batch.Unknown, ""},
		"refused":           {said(sending(t), payout.Refused), batch.Unknown, ""},
		"declined at once":  {said(sending(t), payout.Declined), batch.Unknown, ""},
		"not found at once": {said(sending(t), payout.NotFound), batch.Unknown, ""},
	} {
		b, _, alarm, err := sending(t).Reply(c.s, at)
		if err != nil || b.State != c.to || alarm != c.alarm || b.Next.IsZero() || !b.Asks() {
			t.Errorf("%s: %s %q %v", name, b.State, alarm, err)
		}
	}
}

func TestWhatAnAnswerBrings(t *testing.T) {
	t.Parallel()
	submitted, _, _, err := sending(t).Reply(said(sending(t), payout.Processing), at)
	submitted = then(t, submitted, err)
	unknown, _, _, err := sending(t).Reply(said(sending(t), payout.Silence), at)
	unknown = then(t, unknown, err)
	frozen, _, _, err := sending(t).Reply(said(sending(t), payout.Conflict), at)
	frozen = then(t, frozen, err)
	edition := func(b batch.Batch, n int, digest string) rail.FileSaid {
		s := said(b, payout.Processing)
		s.Edition, s.ReturnDigest = n, digest
		return s
	}
	taken, err := submitted.Take(1, "r1", 1, at)
	taken = then(t, taken, err)
	half, err := taken.Taken(2, at)
	half = then(t, half, err)
	if half.Taking.NextPage != 2 || taken.Taking.NextPage != 0 {
		t.Error("a page is not counted")
	}
	open, alarm, err := half.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: 2, Fen: 2}, payout.Silence: {Count: 1, Fen: 1}}, at)
	if open = then(t, open, err); open.State != batch.Submitted || alarm != batch.AlarmUnclear {
		t.Errorf("%s %q", open.State, alarm)
	}
	settled, alarm, err := half.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: 2, Fen: 2}, payout.Declined: {Count: 1, Fen: 1}}, at)
	if settled = then(t, settled, err); settled.State != batch.Settled || alarm != "" || settled.Next.IsZero() {
		t.Errorf("%s %q", settled.State, alarm)
	}
	rejecting, _, alarm, _, err := unknown.Answer(said(unknown, payout.Declined), at)
	if rejecting = then(t, rejecting, err); rejecting.State != batch.Rejecting || alarm != batch.AlarmRejected {
		t.Errorf("%s %q", rejecting.State, alarm)
	}
	rejected, _, err := rejecting.Done(nil, at)
	if rejected = then(t, rejected, err); rejected.State != batch.Rejected {
		t.Error(rejected.State)
	}
	wrong := said(unknown, payout.Processing)
	wrong.Digest = "x"
	declined := said(unknown, payout.Declined)
	declined.Lines = 9
	old := at.Add(25 * time.Hour)
	for name, c := range map[string]struct {
		from  batch.Batch
		s     rail.FileSaid
		when  time.Time
		to    batch.State
		alarm string
		wants bool
	}{
		"not there: again":             {unknown, said(unknown, payout.NotFound), at, batch.Ready, "", false},
		"no money: again later":        {unknown, said(unknown, payout.Short), at, batch.Ready, batch.AlarmShort, false},
		"gone after it was taken":      {submitted, said(submitted, payout.NotFound), at, batch.Submitted, "", false},
		"gone after it was frozen":     {frozen, said(frozen, payout.NotFound), at, batch.Frozen, "", false},
		"taken":                        {unknown, said(unknown, payout.Processing), at, batch.Submitted, "", false},
		"silence":                      {unknown, said(unknown, payout.Silence), at, batch.Unknown, "", false},
		"silence for a day":            {unknown, said(unknown, payout.Silence), old, batch.Unknown, batch.AlarmUnresolved, false},
		"other bytes":                  {unknown, wrong, at, batch.Frozen, batch.AlarmFrozen, false},
		"conflict":                     {submitted, said(submitted, payout.Conflict), at, batch.Frozen, batch.AlarmFrozen, false},
		"conflict again":               {frozen, said(frozen, payout.Conflict), at, batch.Frozen, "", false},
		"rejected, other bytes":        {unknown, declined, at, batch.Frozen, batch.AlarmFrozen, false},
		"rejected after it paid":       {open, said(open, payout.Declined), at, batch.Frozen, batch.AlarmFrozen, false},
		"rejected again":               {rejected, said(rejected, payout.Declined), at, batch.Rejected, "", false},
		"gone after it was rejected":   {rejected, said(rejected, payout.NotFound), at, batch.Rejected, "", false},
		"no money after it was":        {rejected, said(rejected, payout.Short), at, batch.Rejected, "", false},
		"paid after it was rejected":   {rejected, edition(rejected, 1, "r"), at, batch.Rejected, "", true},
		"a return file":                {submitted, edition(submitted, 1, "r1"), at, batch.Submitted, "", true},
		"the same return file":         {open, edition(open, 1, "r1"), at, batch.Submitted, "", false},
		"the same edition, other":      {open, edition(open, 1, "r2"), at, batch.Submitted, "", true},
		"a restated one":               {settled, edition(settled, 2, "r2"), at, batch.Settled, "", true},
		"none restated":                {settled, edition(settled, 1, "r1"), at, batch.Settled, "", false},
		"none restated, a day on":      {settled, edition(settled, 1, "r1"), old, batch.Settled, "", false},
		"none restated, watched out":   {settled, edition(settled, 1, "r1"), at.Add(batch.Watched), batch.Settled, "", false},
		"frozen, and it was ours":      {frozen, said(frozen, payout.Processing), at, batch.Submitted, "", false},
		"frozen, silence for ever":     {frozen, said(frozen, payout.Silence), at.Add(batch.Watched), batch.Frozen, "", false},
		"frozen, a return that fits":   {frozen, edition(frozen, 1, "r1"), at, batch.Frozen, "", true},
		"refused keys, an answer only": {submitted, said(submitted, payout.Refused), at, batch.Submitted, "", false},
	} {
		b, _, alarm, wants, err := c.from.Answer(c.s, c.when)
		if err != nil || b.State != c.to || alarm != c.alarm || wants != c.wants {
			t.Errorf("%s: %s %q wants=%v %v", name, b.State, alarm, wants, err)
		}
		if b.Next.IsZero() && name != "none restated, watched out" {
			t.Errorf("%s: nobody asks any more", name)
		}
	}
	parked, err := submitted.Park("bad", at)
	if parked = then(t, parked, err); len(parked.Parked) != 1 || parked.State != batch.Submitted {
		t.Error(parked.Parked)
	}
	if _, _, _, wants, err := parked.Answer(edition(parked, 1, "bad"), at); wants || err != nil {
		t.Error("what was refused is fetched again")
	}
	for range 60 {
		parked, err = parked.Park("bad", at)
		parked = then(t, parked, err)
	}
	if len(parked.Parked) != 50 {
		t.Errorf("%d", len(parked.Parked))
	}
	if _, err := open.Take(1, "r1", 1, at); !errors.Is(err, batch.ErrState) {
		t.Error("an edition is taken in twice")
	}
	if _, err := half.Taken(1, at); !errors.Is(err, batch.ErrState) {
		t.Error("pages go backwards")
	}
}

// TestAFileThatCannotBeWritten was never sent: its payouts wait for another.
func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	b, err := proposed(t).Release(bert, at)
	b = then(t, b, err)
	b, err = b.Filled(lines(1), batch.Mark{}, at)
	b = then(t, b, err)
	b, err = b.Complete(at)
	b = then(t, b, err)
	b, err = b.Unwritable(at)
	if b = then(t, b, err); b.State != batch.Rejecting || b.Taking.Code != batch.NeverSent {
		t.Errorf("%+v", b.Taking)
	}
	b, _, err = b.Done(nil, at)
	if b = then(t, b, err); b.State != batch.Rejected || !b.Next.IsZero() || b.Asks() {
		t.Errorf("%s, next %v", b.State, b.Next)
	}
}

// TestWhateverTheBankSays: these hold after any history of answers.
func TestWhateverTheBankSays(t *testing.T) {
	t.Parallel()
	words := []payout.Word{payout.Processing, payout.Declined, payout.NotFound, payout.Short, payout.Refused, payout.Conflict, payout.Silence}
	rapid.Check(t, func(rt *rapid.T) {
		b, sent, now := sending(t), 1, at
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(rt, "hours")) * time.Hour)
			s := said(b, rapid.SampledFrom(words).Draw(rt, "word"))
			if s.Word == payout.Processing && rapid.Bool().Draw(rt, "return") {
				s.Edition, s.ReturnDigest = rapid.IntRange(1, 3).Draw(rt, "edition"), rapid.SampledFrom([]string{"r1", "r2"}).Draw(rt, "digest")
			}
			before := b
			var wants bool
			var err error
			switch {
			case b.State == batch.Sending && rapid.Bool().Draw(rt, "reply"):
				b, _, _, err = b.Reply(s, now)
			case b.Asks():
				if b, _, _, wants, err = b.Answer(s, now); wants && s.Edition > b.Edition {
					b, err = b.Take(s.Edition, s.ReturnDigest, 1, now)
				}
			case b.State == batch.Ready:
				if b, err = b.Claim(later(now, b.Next)); err == nil {
					sent++
				}
			case b.State == batch.Applying, b.State == batch.Rejecting:
				b, _, err = b.Done(map[payout.Word]batch.Tally{payout.Succeeded: {Count: rapid.IntRange(0, 3).Draw(rt, "paid")}}, now)
			default:
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			if before.Accepted && b.State == batch.Ready {
				rt.Fatalf("a file that the bank held goes again from %s", before.State)
			}
			if before.State == batch.Frozen && (b.State == batch.Ready || b.State == batch.Sending) {
				rt.Fatal("a frozen file is sent")
			}
			if b.Edition < before.Edition || b.Digest != before.Digest || b.ID != before.ID || !b.SentAt.Equal(at) {
				rt.Fatal("what is fixed has changed")
			}
			if b.State == batch.Rejecting && (s.Word != payout.Declined || before.Edition > 0) {
				rt.Fatal("payouts go back without the bank's word")
			}
			if b.Version != before.Version && b.Next.IsZero() && now.Sub(at) < batch.Watched {
				rt.Fatalf("W08: nobody owns a file that is %s", b.State)
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

type oneKey struct{ seal.Key }

func (k oneKey) Current(context.Context) (seal.Key, error)      { return k.Key, nil }
func (k oneKey) ByID(context.Context, string) (seal.Key, error) { return k.Key, nil }

func box(t *testing.T) *seal.Box {
	t.Helper()
	key, err := seal.NewKey("k1", seal.AES256GCM, bytes.Repeat([]byte{7}, seal.AES256GCM.KeyBytes()))
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewBox(oneKey{key}, rand.Reader)
}

func keep(t *testing.T, s table.Store, b batch.Batch, kind string, more ...table.Write) {
	t.Helper()
	if err := batch.Commit(t.Context(), s, b, b.Event(kind, anna, at), more...); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreKept(t *testing.T) {
	t.Parallel()
	s, x := embedded.Memory(), box(t)
	if _, err := batch.Get(t.Context(), s, "none"); !errors.Is(err, batch.ErrNotFound) {
		t.Error(err)
	}
	b := proposed(t)
	keep(t, s, b, "proposed")
	if err := batch.Commit(t.Context(), s, b, b.Event("proposed", anna, at)); !errors.Is(err, batch.ErrMovedOn) {
		t.Errorf("twice: %v", err)
	}
	b, err := b.Release(bert, at)
	b = then(t, b, err)
	keep(t, s, b, "released")
	all := lines(3)
	for _, part := range [][]batch.Line{all[:2], all[2:]} {
		b, err = b.Filled(part, batch.Mark{}, at)
		b = then(t, b, err)
		page, err := batch.Page(t.Context(), x, b.ID, b.Pages, part)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, s, b, "filled", page)
		put, _ := page.(table.Put)
		if bytes.Contains(put.Item.Body, []byte("欧阳")) || bytes.Contains(put.Item.Body, []byte("62220202000")) {
			t.Error("P01: a page shows a payee")
		}
	}
	back, err := batch.Get(t.Context(), s, b.ID)
	if err != nil || back.Lines != b.Lines || back.State != batch.Filling || back.Version != b.Version {
		t.Fatalf("%+v %v", back, err)
	}
	item, _, err := s.Get(t.Context(), batch.Key(b.ID))
	if at, q, owes := work.Owed(item); err != nil || !owes || q != work.Pay || at.IsZero() || !batch.Is(item.Key) {
		t.Error("a released file is owed to nobody")
	}
	full, err := batch.Full(t.Context(), s, x, b)
	if err != nil || len(full) != 3 || full[2].To.Account.Reveal() != "62220202000" || full[2].To.Name.Reveal() != "欧阳试金" {
		t.Fatalf("%d lines %v", len(full), err)
	}
	pages, err := batch.Pages(t.Context(), s, b, 2, 2)
	if err != nil || len(pages) != 1 || pages[0][0].Number != 3 || !pages[0][0].To.Name.Empty() {
		t.Errorf("%v %v", pages, err)
	}
	if pages, err := batch.Pages(t.Context(), s, b, 2, 1); err != nil || pages != nil {
		t.Error("pages of nothing")
	}
	if recent, err := batch.Recent(t.Context(), s, b.Division, 10); err != nil || len(recent) != 1 || recent[0].ID != b.ID {
		t.Errorf("%v %v", recent, err)
	}
	// What was counted and what is there must be the same.
	for name, twist := range map[string]func(*batch.Batch){
		"a line more":   func(b *batch.Batch) { b.Lines.Count++ },
		"a fen less":    func(b *batch.Batch) { b.Lines.Fen-- },
		"a page more":   func(b *batch.Batch) { b.Pages++ },
		"another order": func(b *batch.Batch) { b.Pages = 1; b.Lines = batch.Tally{Count: 3, Fen: 3_000_00} },
	} {
		bad := b
		twist(&bad)
		if _, err := batch.Full(t.Context(), s, x, bad); !errors.Is(err, batch.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBytesAreKeptInParts(t *testing.T) {
	t.Parallel()
	s, x, b := embedded.Memory(), box(t), proposed(t)
	raw := bytes.Repeat([]byte("欧阳试金|6222\r\n"), 60_000) // more than three parts
	n, err := b.KeepBytes(t.Context(), s, x, raw)
	if err != nil || n < 4 {
		t.Fatal(n, err)
	}
	if again, err := b.KeepBytes(t.Context(), s, x, raw); err != nil || again != n { // after a death half way
		t.Fatal(again, err)
	}
	b.Digest, b.Chunks = batch.Digest(raw), n
	if got, err := b.Raw(t.Context(), s, x); err != nil || !bytes.Equal(got, raw) {
		t.Fatal(err)
	}
	b.Chunks--
	if _, err := b.Raw(t.Context(), s, x); !errors.Is(err, batch.ErrDamaged) {
		t.Errorf("a part is missing: %v", err)
	}
	b.Chunks = n + 1
	if _, err := b.Raw(t.Context(), s, x); !errors.Is(err, batch.ErrDamaged) {
		t.Errorf("a part too many: %v", err)
	}
	digest, m, err := b.KeepReturn(t.Context(), s, x, raw[:1000])
	if err != nil || m != 1 {
		t.Fatal(err)
	}
	if got, err := b.RawReturn(t.Context(), s, x, digest, m); err != nil || len(got) != 1000 {
		t.Fatal(err)
	}
	w, err := batch.Parked{File: b.ID, Digest: digest, Chunks: m, Bytes: 1000, Reason: "x", At: at}.Write()
	if err != nil || w.Target().PK != batch.ParkedList() {
		t.Fatal(err)
	}
	page, err := s.Query(t.Context(), table.Query{PK: batch.Partition(b.ID)})
	if err != nil || slices.ContainsFunc(page.Items, func(i table.Item) bool { return bytes.Contains(i.Body, []byte("6222")) }) {
		t.Error("P01: bytes in the clear", err)
	}
}

// TestAFullFileIsKeptQuickly: 50,000 lines there and back.
func TestAFullFileIsKeptQuickly(t *testing.T) {
	t.Parallel()
	s, x := embedded.Memory(), box(t)
	const n, page = 50_000, 1_000
	b := batch.Batch{ID: "full", Most: batch.Tally{Count: n, Fen: money.Fen(n) * 100}}
	for first := 0; first < n; first += page {
		var part []batch.Line
		for i := range page {
			part = append(part, batch.Line{Application: "a", Award: "01", Reference: "r", AmountFen: 100, Number: first + i + 1,
				To: payout.Payee{Name: civil.StoredName("试"), Account: civil.StoredAccount("62220202")}})
		}
		b.Pages++
		b.Lines.Count += page
		b.Lines.Fen += page * 100
		w, err := batch.Page(t.Context(), x, b.ID, b.Pages, part)
		if err == nil {
			err = s.Transact(t.Context(), w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if all, err := batch.Full(t.Context(), s, x, b); err != nil || len(all) != n {
		t.Fatal(len(all), err)
	}
}

func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	s, x, b := embedded.Memory(), box(t), proposed(t)
	put := func(key table.Key, body string) {
		if err := s.Transact(t.Context(), table.Put{Item: table.Item{Key: key, Version: 1, Body: []byte(body),
			Places: []table.Place{{Index: table.ByWork, PK: batch.List("320402000000"), SK: "x"}}}}); err != nil {
			t.Fatal(err)
		}
	}
	put(batch.Key("broken"), "{")
	put(batch.Key("other"), `{"version":7}`)
	put(table.Key{PK: batch.Partition("p"), SK: "PAGE#000001"}, "{")
	put(table.Key{PK: batch.Partition("q"), SK: "PAGE#000001"}, `{"lines":[],"to":"AAAA"}`)
	put(table.Key{PK: batch.Partition("r"), SK: "BYTES#0001"}, "clear")
	put(table.Key{PK: payout.WaitingList("1"), SK: "x"}, "{")
	for _, id := range []string{"broken", "other"} {
		if _, err := batch.Get(t.Context(), s, id); err == nil {
			t.Errorf("%s is read", id)
		}
	}
	if _, err := batch.Recent(t.Context(), s, "320402000000", 9); err == nil {
		t.Error("broken ones are listed")
	}
	b.Pages = 1
	for _, id := range []string{"p", "q"} {
		b.ID = id
		if _, err := batch.Full(t.Context(), s, x, b); err == nil {
			t.Errorf("pages of %s are read", id)
		}
	}
	b.ID, b.Chunks = "r", 1
	if _, err := b.Raw(t.Context(), s, x); err == nil {
		t.Error("bytes in the clear are read")
	}
}

// TestWhoWaits: by township, the longest first, as far as the cut-off.
func TestWhoWaits(t *testing.T) {
	t.Parallel()
	r := batchtest.New(t, 7, "", nil)
	r.Wait(time.Minute)
	w, err := batch.Waits(t.Context(), r.Store, batchtest.Townships[0], r.Now(), 100)
	if err != nil || w.Count != 4 || w.Fen != 4*batchtest.Amount || !w.Oldest.Equal(batchtest.Start) {
		t.Errorf("%+v %v", w, err)
	}
	if w, err := batch.Waits(t.Context(), r.Store, batchtest.Townships[0], r.Now(), 3); err != nil || w.Count != 3 {
		t.Errorf("no more than asked for: %+v %v", w, err)
	}
	if w, err := batch.Waits(t.Context(), r.Store, batchtest.Townships[1], batchtest.Start, 100); err != nil || w.Count != 0 {
		t.Errorf("who came after the cut-off: %+v %v", w, err)
	}
	b := r.Release(r.Propose("file1"))
	seen, mark := map[string]bool{}, b.Mark
	for {
		found, after, done, err := b.Candidates(t.Context(), r.Store, mark, 2)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			break
		}
		if len(found) == 0 || len(found) > 2 {
			t.Fatalf("%d at once", len(found))
		}
		for _, p := range found {
			if seen[p.Award.Application] {
				t.Errorf("%s is found twice", p.Award.Application)
			}
			seen[p.Award.Application] = true
		}
		mark = after
	}
	if len(seen) != 7 {
		t.Errorf("%d of 7 are found", len(seen))
	}
	l := batch.Line{Application: "a", Award: "01"}
	if l.Key() != payout.Key("a", "01") {
		t.Error(l.Key())
	}
	// A damaged record is an error and not nobody.
	err = r.Store.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: "x", SK: "PAYOUT#x"}, Version: 1, Body: []byte("{"),
		Places: []table.Place{{Index: table.ByWork, PK: payout.WaitingList(batchtest.Townships[0]), SK: "1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Waits(t.Context(), r.Store, batchtest.Townships[0], r.Now(), 9); err == nil {
		t.Error("a damaged payout is nobody")
	}
	if _, _, _, err := b.Candidates(t.Context(), r.Store, batch.Mark{}, 9); err == nil {
		t.Error("a damaged payout is nobody")
	}
}
