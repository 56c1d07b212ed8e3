package railtest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
)

// FileProvider is the other end of a rail of files, as a test sees it: as Provider,
// with files where that has orders.
type FileProvider interface {
	Cut(done bool)
	Break(done bool)
	Forge()
	// Finish brings every line of every file to its good end.
	Finish()
	// Credits is how often money reached the payee of a line.
	Credits(reference string) int
}

// File is a file of the suite: n lines of different people, with names that a
// character set must be able to carry.
func File(l rail.Files, n, lines int) rail.FileOrder {
	f := rail.FileOrder{ID: ident.Derive("file", string(rune('a'+n))), Layout: l.Layout(), At: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)}
	for i := range lines {
		o := Order(1)
		o.Reference = payout.Reference("app"+string(rune('a'+n)), "01", i+1)
		o.AmountFen += money.Fen(i)
		o.Payee.Name = civil.StoredName([]string{"欧阳试金", "䶮测", "𬭎试"}[i%3])
		f.Lines = append(f.Lines, o)
	}
	return f
}

// RunFiles holds a rail of files to the contract of all rails. open makes one with
// a provider that has seen nothing.
func RunFiles(t *testing.T, open func(t *testing.T) (rail.Files, FileProvider)) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, rail.Files, FileProvider){
		"facts_are_whole":                       fileFacts,
		"a_wrong_line_is_invalid":               fileInvalid,
		"the_same_bytes_pay_once":               fileOnce,
		"nothing_is_concluded_from_a_lost_call": fileLost,
		"other_bytes_are_a_conflict":            fileConflict,
		"unknown_is_not_found":                  fileUnknown,
		"a_changed_return_file_is_refused":      fileChanged,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, provider := open(t)
			f(t, line, provider)
		})
	}
}

func fileFacts(t *testing.T, line rail.Files, _ FileProvider) {
	f := line.Facts()
	if f.Rail == "" || !f.Rail.InFiles() || f.Reference == nil || line.MaxLines() < 1 || line.Layout() == "" {
		t.Errorf("%+v", f)
	}
	if !f.Reference.MatchString(Order(1).Reference) || !f.Reference.MatchString(File(line, 1, 1).ID) {
		t.Errorf("our references do not fit %s", f.Reference)
	}
	for _, c := range []rail.Call{rail.Sending, rail.Asking} {
		if ok, err := line.Admit(t.Context(), c); err != nil || !ok {
			t.Error(ok, err)
		}
	}
}

func fileInvalid(t *testing.T, line rail.Files, _ FileProvider) {
	for name, twist := range map[string]func(*rail.Order){
		"no reference":    func(o *rail.Order) { o.Reference = "" },
		"form":            func(o *rail.Order) { o.Reference = "a b" },
		"nothing to pay":  func(o *rail.Order) { o.AmountFen = 0 },
		"negative amount": func(o *rail.Order) { o.AmountFen = -1 },
		"no payee":        func(o *rail.Order) { o.Payee = payout.Payee{} },
		"a line end":      func(o *rail.Order) { o.Payee.Name = civil.StoredName("王\n试") },
	} {
		o := Order(1)
		twist(&o)
		if _, err := line.Line(o); fault.Of(err).Kind != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		f := File(line, 1, 2)
		f.Lines[1] = o
		if _, err := line.Encode(f); fault.Of(err).Kind != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := line.Encode(rail.FileOrder{ID: "x", Layout: line.Layout()}); fault.Of(err).Kind != fault.Invalid {
		t.Errorf("a file of nobody: %v", err)
	}
	o := Order(1)
	digest, err := line.Line(o)
	if err != nil || digest == "" || bytes.Contains([]byte(digest), []byte(o.Payee.Name.Reveal())) || bytes.Contains([]byte(digest), []byte(o.Payee.Account.Reveal())) {
		t.Errorf("%q %v", digest, err)
	}
}

func bytesOf(t *testing.T, line rail.Files, f rail.FileOrder) []byte {
	t.Helper()
	raw, err := line.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := line.Encode(f); err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("the same file has other bytes: %v", err)
	}
	return raw
}

func aboutFile(t *testing.T, s rail.FileSaid, id string, words ...payout.Word) {
	t.Helper()
	if s.File != id {
		t.Errorf("an answer about %q, asked about %q", s.File, id)
	}
	if !slices.Contains(words, s.Word) {
		t.Errorf("heard %q (%s), want one of %q", s.Word, s.Code, words)
	}
}

// fileSettled reads what became of every line.
func fileSettled(t *testing.T, line rail.Files, f rail.FileOrder, provider FileProvider) {
	t.Helper()
	s := line.Query(t.Context(), f.ID)
	aboutFile(t, s, f.ID, payout.Processing)
	raw, ok := line.Fetch(t.Context(), f.ID, s.Edition)
	if !ok {
		t.Fatal("there is no return file")
	}
	r, err := line.Read(f.Layout, raw)
	if err != nil || r.File != f.ID || r.Edition != s.Edition || r.Digest != s.ReturnDigest || len(r.Lines) != len(f.Lines) {
		t.Fatalf("%+v %v", s, err)
	}
	for _, l := range r.Lines {
		o := f.Lines[l.Line-1]
		payee, err := line.Line(o)
		if err != nil || l.Word != payout.Succeeded || l.Reference != o.Reference || l.AmountFen != o.AmountFen || l.Payee != payee || l.Evidence == "" {
			t.Errorf("line %d: paid without saying what to whom: %s", l.Line, l.Word)
		}
		if n := provider.Credits(o.Reference); n != 1 {
			t.Errorf("M08: %d credits", n)
		}
	}
}

func fileOnce(t *testing.T, line rail.Files, provider FileProvider) {
	f := File(line, 1, 5)
	raw := bytesOf(t, line, f)
	for range 3 {
		aboutFile(t, line.Send(t.Context(), f.ID, raw), f.ID, payout.Processing)
	}
	provider.Finish()
	s := line.Send(t.Context(), f.ID, raw)
	aboutFile(t, s, f.ID, payout.Processing)
	if s.Lines != 5 || s.Digest == "" || !s.TotalFen.Payable() || s.Evidence == "" {
		t.Errorf("it does not say what it holds: %+v", s)
	}
	fileSettled(t, line, f, provider)
}

func fileLost(t *testing.T, line rail.Files, provider FileProvider) {
	n := 0
	for name, doom := range map[string]func(){
		"cut, done": func() { provider.Cut(true) }, "cut, not done": func() { provider.Cut(false) },
		"broken, done": func() { provider.Break(true) }, "broken, not done": func() { provider.Break(false) }, "forged": provider.Forge,
	} {
		n++
		f := File(line, n, 2)
		raw := bytesOf(t, line, f)
		doom()
		aboutFile(t, line.Send(t.Context(), f.ID, raw), f.ID, payout.Silence)
		doom()
		aboutFile(t, line.Query(t.Context(), f.ID), f.ID, payout.Silence)
		line.Send(t.Context(), f.ID, raw)
		provider.Finish()
		doom()
		if _, ok := line.Fetch(t.Context(), f.ID, 1); ok {
			t.Errorf("%s: a return file that cannot be believed", name)
		}
		fileSettled(t, line, f, provider)
	}
}

func fileConflict(t *testing.T, line rail.Files, provider FileProvider) {
	f := File(line, 1, 3)
	line.Send(t.Context(), f.ID, bytesOf(t, line, f))
	other := File(line, 1, 3)
	other.Lines[2].AmountFen++
	aboutFile(t, line.Send(t.Context(), f.ID, bytesOf(t, line, other)), f.ID, payout.Conflict)
	provider.Finish()
	fileSettled(t, line, f, provider)
}

func fileUnknown(t *testing.T, line rail.Files, _ FileProvider) {
	f := File(line, 1, 1)
	aboutFile(t, line.Query(t.Context(), f.ID), f.ID, payout.NotFound)
	if s := line.Query(t.Context(), "../other?x=1"); s.Word != payout.Silence {
		t.Errorf("an id that cannot be ours: %q", s.Word)
	}
	for _, edition := range []int{-1, 0, 1} {
		if _, ok := line.Fetch(t.Context(), f.ID, edition); ok {
			t.Error("a return file of nothing")
		}
	}
}

func fileChanged(t *testing.T, line rail.Files, provider FileProvider) {
	f := File(line, 1, 3)
	line.Send(t.Context(), f.ID, bytesOf(t, line, f))
	provider.Finish()
	raw, ok := line.Fetch(t.Context(), f.ID, 1)
	if !ok {
		t.Fatal("no return file")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if _, err := line.Read(f.Layout, bad); fault.Of(err).Kind != fault.Invalid {
			t.Fatalf("byte %d was changed and nobody noticed: %v", i, err)
		}
	}
}
