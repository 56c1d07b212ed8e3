package civil

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var today = Date(2026, 11, 22)

// code is the problem's code, or "".
func code(err error) string {
	p, _ := errors.AsType[Problem](err)
	return p.Code
}

func TestParseIDNumber(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want, code string }{
		"woman":                     {in: "320411195803120021", want: "320411195803120021"},
		"lower_x":                   {in: "32041119620815001x", want: "32041119620815001X"},
		"spaces":                    {in: " 320402 19850709 0013 ", want: "320402198507090013"},
		"toddler":                   {in: "120112202101010069", want: "120112202101010069"},
		"retired_or_wrong_division": {in: "990411195803120021", code: "id_check"}, // the prefix is not what is wrong
		"empty":                     {code: "required"},
		"full_width":                {in: "３20411195803120021", code: "full_width"},
		"17_characters":             {in: "32041119580312002", code: "id_length"},
		"19_characters":             {in: "3204111958031200211", code: "id_length"},
		"x_in_the_middle":           {in: "32041119X803120021", code: "id_characters"},
		"letter_at_the_end":         {in: "32041119580312002A", code: "id_characters"},
		"han":                       {in: "三20411195803120021", code: "id_length"},
		"last_digit_changed":        {in: "320411195803120022", code: "id_check"},
		"31_february":               {in: "320411196202310021", code: "id_birth"},
		"29_february_of_no_leap":    {in: "320411190002290021", code: "id_birth"},
		"before_1900":               {in: "320411189912310021", code: "id_birth"},
		"born_tomorrow":             {in: "320411202611230021", code: "id_future"},
		"15_digits":                 {in: "320411580312002", code: "id_old"},
	} {
		n, err := ParseIDNumber(tc.in, today)
		if code(err) != tc.code || n.Reveal() != tc.want {
			t.Errorf("%s: %q, %v", name, n.Reveal(), err)
		}
		if p, ok := errors.AsType[Problem](err); ok && (p.Detail == "" || tc.in != "" && strings.Contains(p.Detail+err.Error(), tc.in)) {
			t.Errorf("%s: detail is %q", name, p.Detail)
		}
	}
}

func TestIDNumberBornToday(t *testing.T) {
	t.Parallel()
	first := "32041120261122002"
	if _, err := ParseIDNumber(first+string(idCheck(first)), today); err != nil {
		t.Errorf("a child born today: %v", err)
	}
	first = "32041119000101002"
	if _, err := ParseIDNumber(first+string(idCheck(first)), today); err != nil {
		t.Errorf("born on the first day that a number can have: %v", err)
	}
}

func TestIDNumberSays(t *testing.T) {
	t.Parallel()
	n, err := ParseIDNumber("320411195803120021", today)
	if err != nil {
		t.Fatal(err)
	}
	if n.Birth() != Date(1958, 3, 12) || !n.Female() || n.Prefix() != "320411" || !n.PrefixKnown() || n.Masked() != "3204***********021" {
		t.Errorf("%v %v %s %v %s", n.Birth(), n.Female(), n.Prefix(), n.PrefixKnown(), n.Masked())
	}
	if StoredIDNumber("990411195803120021").PrefixKnown() != true || StoredIDNumber("010411195803120021").PrefixKnown() || (IDNumber{}).PrefixKnown() {
		t.Error("prefixes")
	}
	var none IDNumber
	if none.Female() || none.Masked() != "" || none.Prefix() != "" || !none.Birth().IsZero() || none.Under(14, today) {
		t.Error("no number says something")
	}
	if n != StoredIDNumber("320411195803120021") {
		t.Error("a stored number differs")
	}
}

func TestUnder(t *testing.T) {
	t.Parallel()
	child := StoredIDNumber("320404201405010032") // born 2014-05-01
	leap := StoredIDNumber("32040420120229003X")
	for name, tc := range map[string]struct {
		n    IDNumber
		on   Day
		want bool
	}{
		"day_before_14th_birthday": {child, Date(2028, 4, 30), true},
		"on_14th_birthday":         {child, Date(2028, 5, 1), false},
		"leap_child_28_february":   {leap, Date(2026, 2, 28), true},
		"leap_child_1_march":       {leap, Date(2026, 3, 1), false},
	} {
		if got := tc.n.Under(14, tc.on); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFrom15(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want, code string }{
		"converted":  {in: "320411 580312 002", want: "320411195803120021"},
		"centenary":  {in: "320411580312996", code: "id_century"},
		"bad_date":   {in: "320411583112002", code: "id_birth"},
		"18_digits":  {in: "320411195803120021", code: "id_length"},
		"letters":    {in: "32041158031200X", code: "id_length"},
		"empty":      {code: "required"},
		"full_width": {in: "３20411580312002", code: "full_width"},
	} {
		n, err := From15(tc.in, today)
		if code(err) != tc.code || n.Reveal() != tc.want {
			t.Errorf("%s: %q, %v", name, n.Reveal(), err)
		}
	}
}

func TestPaper(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kind              PaperKind
		in, masked, wrong string
	}{
		"id_card":             {kind: IDCard, in: "32041119620815001x", masked: "3204***********01X"},
		"id_card_wrong":       {kind: IDCard, in: "320411196208150011", wrong: "id_check"},
		"hong_kong":           {kind: HongKongMacao, in: "h12345678", masked: "H******78"},
		"hong_kong_wrong":     {kind: HongKongMacao, in: "T12345678", wrong: "paper_number"},
		"taiwan":              {kind: TaiwanPermit, in: "12345678", masked: "1*****78"},
		"foreign_new":         {kind: ForeignResidence, in: "911000198501010018", masked: "9***************18"},
		"foreign_old":         {kind: ForeignResidence, in: "USA110085010101", masked: "U************01"},
		"passport":            {kind: Passport, in: "E1234 5678", masked: "E******78"},
		"passport_formula":    {kind: Passport, in: "=1+1+1", wrong: "paper_number"},
		"passport_full_width": {kind: Passport, in: "Ｅ12345678", wrong: "full_width"},
		"passport_empty":      {kind: Passport, wrong: "required"},
		"none":                {kind: NoPaper},
		"none_with_number":    {kind: NoPaper, in: "1", wrong: "paper_number"},
		"no_kind":             {in: "E12345678", wrong: "paper_kind"},
	} {
		p, err := ParsePaper(tc.kind, tc.in, today)
		if code(err) != tc.wrong || p.Masked() != tc.masked {
			t.Errorf("%s: %q, %v", name, p.Masked(), err)
		}
		if err == nil && (p.Kind() != tc.kind || p != StoredPaper(tc.kind, p.Reveal())) {
			t.Errorf("%s: does not come back", name)
		}
	}
	if p, _ := ParsePaper(IDCard, "320411195803120021", today); func() bool { _, ok := p.IDNumber(); return !ok }() {
		t.Error("an identity card has no number")
	}
	if _, ok := (Paper{}).IDNumber(); ok {
		t.Error("no answer is an identity card")
	}
	if _, err := ParsePaper(NoPaper, "1", today); !strings.Contains(err.(Problem).Detail, "不要填写") {
		t.Errorf("who has no paper and gives a number is told: %v", err.(Problem).Detail)
	}
	if _, err := ParsePaper(Passport, "=1", today); !strings.Contains(err.(Problem).Detail, Passport.Chinese()) {
		t.Errorf("whose passport number is wrong is told: %v", err.(Problem).Detail)
	}
	for _, k := range PaperKinds() {
		if k.Chinese() == "" {
			t.Errorf("%s has no name", k)
		}
	}
	if PaperKind("x").Chinese() != "" || len(PaperKinds()) != 6 {
		t.Error("kinds")
	}
}

func FuzzParseIDNumber(f *testing.F) {
	for _, s := range []string{"320411195803120021", "32041119620815001x", "320411580312002", "３2", "32041119620231001X", "", "\x00", "99999999999999999X"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string, Day) (IDNumber, error){ParseIDNumber, From15} {
			n, err := parse(s, today)
			if err != nil {
				if code(err) == "" || !n.Empty() {
					t.Fatalf("%q: %v", s, err)
				}
				continue
			}
			again, err := ParseIDNumber(n.Reveal(), today)
			if err != nil || again != n || n.Birth().After(today) || n.Birth().Month() < time.January || len(n.Masked()) != 18 {
				t.Fatalf("%q became %q, which is not a number: %v", s, n.Reveal(), err)
			}
		}
	})
}
