package civil

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestPersonalTypesPrintNothing(t *testing.T) {
	t.Parallel()
	const secret = "13800138000"
	phone := StoredPhone(secret)
	for name, v := range map[string]any{
		"phone": phone, "id": StoredIDNumber(secret), "name": StoredName(secret), "account": StoredAccount(secret),
		"paper": StoredPaper(Passport, secret), "pointer": &phone, "inside": struct{ P Phone }{phone},
	} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := string(raw) + log.String() + fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v)
		if strings.Contains(all, secret) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s shows itself: %s", name, all)
		}
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in, want, masked, code string
		mobile                 bool
	}{
		"mobile":             {in: "138 0013 8000", want: "13800138000", masked: "138****8000", mobile: true},
		"with_country_code":  {in: "+86-13800138000", want: "13800138000", masked: "138****8000", mobile: true},
		"landline":           {in: "0519-86123456", want: "051986123456", masked: "051*****3456"},
		"landline_brackets":  {in: "（0818）2123456", want: "08182123456", masked: "081****3456"},
		"landline_of_big":    {in: "022 28391234", want: "02228391234", masked: "022****1234"},
		"landline_abroad":    {in: "+86 519 86123456", want: "051986123456", masked: "051*****3456"},
		"twelve":             {in: "12800138000", code: "phone_form"},
		"ten_digits":         {in: "1380013800", code: "phone_form"},
		"without_area":       {in: "86123456", code: "phone_form"},
		"big_with_7_digits":  {in: "0222839123", code: "phone_form"},
		"full_width":         {in: "１3800138000", code: "full_width"},
		"letters":            {in: "1380013800a", code: "phone_form"},
		"empty":              {code: "required"},
		"only_punctuation":   {in: "(-)", code: "required"},
		"second_number_kept": {in: "13800138000,13900139000", code: "phone_form"},
	} {
		p, err := ParsePhone(tc.in)
		if code(err) != tc.code || p.Reveal() != tc.want || p.Masked() != tc.masked || p.Mobile() != tc.mobile {
			t.Errorf("%s: %q %q %v, %v", name, p.Reveal(), p.Masked(), p.Mobile(), err)
		}
	}
}

// What was stored is shown whatever its length, and never whole.
func TestMaskedWhateverTheLength(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ got, want string }{
		"phone_of_8":            {StoredPhone("12345678").Masked(), "123*5678"},
		"phone_of_7_would_show": {StoredPhone("1234567").Masked(), "*******"},
		"paper_of_5":            {StoredPaper(Passport, "AB345").Masked(), "A**45"},
		"paper_of_4":            {StoredPaper(Passport, "AB34").Masked(), "****"},
		"account_of_4":          {StoredAccount("1234").Tail4(), "1234"},
		"account_of_3":          {StoredAccount("123").Tail4(), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q", name, tc.got)
		}
	}
}

// Each end of each full-width alphabet is told what is wrong with it; the
// symbols next to them are wrong for another reason.
func TestFullWidth(t *testing.T) {
	t.Parallel()
	for _, r := range "０９ＡＺａｚ" {
		if _, err := ParseAccount("622848000" + string(r)); code(err) != "full_width" {
			t.Errorf("%c: %v", r, err)
		}
	}
	for _, r := range "／：＠［｀｛" {
		if _, err := ParseAccount("622848000" + string(r)); code(err) != "account_characters" {
			t.Errorf("%c: %v", r, err)
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in, want, tail, code string
		luhn                 bool
	}{
		"card":          {in: "6228 4800 0000 0000 018", want: "6228480000000000018", tail: "0018", luhn: true},
		"other_card":    {in: "6217000000000000020", want: "6217000000000000020", tail: "0020", luhn: true},
		"card_of_16":    {in: "4111 1111 1111 1111", want: "4111111111111111", tail: "1111", luhn: true},
		"luhn_of_15":    {in: "378282246310005", want: "378282246310005", tail: "0005"},
		"card_slipped":  {in: "6228480000000000019", want: "6228480000000000019", tail: "0019"},
		"passbook":      {in: "0101-2345-6789", want: "010123456789", tail: "6789"},
		"shortest":      {in: "12345678", want: "12345678", tail: "5678"},
		"longest":       {in: strings.Repeat("12", 16), want: strings.Repeat("12", 16), tail: "1212"},
		"too_short":     {in: "1234567", code: "account_length"},
		"too_long":      {in: strings.Repeat("12", 16) + "1", code: "account_length"},
		"one_digit":     {in: "0000000000000000", code: "account_blank"},
		"letters":       {in: "6228480A00000000018", code: "account_characters"},
		"full_width":    {in: "６228480000000000018", code: "full_width"},
		"empty":         {code: "required"},
		"formula":       {in: "=6228480000000", code: "account_characters"},
		"luhn_too_long": {in: "62284800000000000018", want: "62284800000000000018", tail: "0018"},
	} {
		a, err := ParseAccount(tc.in)
		if code(err) != tc.code || a.Reveal() != tc.want || a.Tail4() != tc.tail || a.LuhnOK() != tc.luhn {
			t.Errorf("%s: %q %q %v, %v", name, a.Reveal(), a.Tail4(), a.LuhnOK(), err)
		}
	}
}

func TestCreditCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want, code string }{
		"computed":      {in: "11320400mb00000002", want: "11320400MB00000002"},
		"check_changed": {in: "11320400MB00000003", code: "credit_check"},
		"letter_o":      {in: "11320400MB0000000O", code: "credit_characters"},
		"bad_division":  {in: "1132040AMB00000002", code: "credit_characters"},
		"short":         {in: "1132", code: "credit_length"},
		"full_width":    {in: "１1320400MB00000002", code: "full_width"},
		"empty":         {code: "required"},
	} {
		if c, err := ParseCreditCode(tc.in); code(err) != tc.code || string(c) != tc.want {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}
}

func TestDivisionCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in, want string
		level    Level
		code     string
	}{
		"village":    {in: "320402005001", want: "320402005001", level: VillageLevel},
		"township":   {in: "320402005", want: "320402005000", level: TownshipLevel},
		"county":     {in: "320402", want: "320402000000", level: CountyLevel},
		"city":       {in: "320400", want: "320400000000", level: CityLevel},
		"province":   {in: "320000", want: "320000000000", level: ProvinceLevel},
		"nation":     {in: "000000", code: "division_form"},
		"province_0": {in: "003204", code: "division_form"},
		"four":       {in: "3204", code: "division_form"},
		"letters":    {in: "32040a", code: "division_form"},
		"full_width": {in: "３20400", code: "full_width"},
		"empty":      {code: "required"},
	} {
		c, err := ParseDivision(tc.in)
		if code(err) != tc.code || c.String() != tc.want || c.Level() != tc.level {
			t.Errorf("%s: %q level %d, %v", name, c, c.Level(), err)
		}
	}
	for _, c := range []DivisionCode{"320402", "3204020050011", "32040200500x"} {
		if c.Level() != NoLevel {
			t.Errorf("%q, which nobody parsed, has level %d", c, c.Level())
		}
	}
	if DivisionCode("32").Province() != "32" {
		t.Error("two digits are a province")
	}
	c := DivisionCode("320402005001")
	if c.Province() != "32" || c.City() != "3204" || c.County() != "320402" || c.Township() != "320402005" || DivisionCode("3").City() != "" {
		t.Error("parts")
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-22": "", "2024-02-29": "", "0001-01-01": "", "9999-12-31": "",
		"": "required", "2026-2-3": "day_form", "2026-02-30": "day_absent", "2025-02-29": "day_absent", "0000-01-01": "day_absent",
		"2026-13-01": "day_absent", "2026-00-10": "day_absent", "20261122": "day_form", "2026/11/22": "day_form", "２026-11-2": "full_width", "2026-11-2x": "day_form",
	} {
		d, err := ParseDay(in)
		if code(err) != want || err == nil && d.String() != in {
			t.Errorf("%q: %v, %v", in, d, err)
		}
	}
	d := Date(2026, 12, 31)
	if d.AddDays(1) != Date(2027, 1, 1) || d.AddDays(-365) != Date(2025, 12, 31) || !d.Before(d.AddDays(1)) || !d.AddDays(1).After(d) || d.Before(d) || d.After(d) {
		t.Error("order or sums")
	}
	if d.Weekday() != time.Thursday || d.Year() != 2026 || d.Month() != time.December || d.DayOfMonth() != 31 || d.Chinese() != "2026年12月31日" {
		t.Error("parts")
	}
	east := time.FixedZone("", 8*3600)
	if got := DayOf(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC), east); got != Date(2027, 1, 1) {
		t.Errorf("the evening in London is %s in Shanghai", got)
	}
	if (Day{}).Chinese() != "" || !Date(10000, 1, 1).IsZero() {
		t.Error("no day says something")
	}
	if d := Date(2026, 1, 366); !d.IsZero() { // 1 January of the next year: only the day differs
		t.Errorf("the 366th of January is %s", d)
	}
}

func TestDayInJSON(t *testing.T) {
	t.Parallel()
	type box struct {
		D Day         `json:"d"`
		M map[Day]int `json:"m,omitempty"`
	}
	raw, err := json.Marshal(box{D: today, M: map[Day]int{today: 1}})
	if err != nil || string(raw) != `{"d":"2026-11-22","m":{"2026-11-22":1}}` {
		t.Fatalf("%s, %v", raw, err)
	}
	var back box
	if err := json.Unmarshal(raw, &back); err != nil || back.D != today || back.M[today] != 1 {
		t.Fatalf("%+v, %v", back, err)
	}
	for in, want := range map[string]string{`{"d":""}`: "", `{"d":"2026-11-31"}`: "day_absent"} {
		var b box
		if err := json.Unmarshal([]byte(in), &b); code(err) != want || !b.D.IsZero() {
			t.Errorf("%s: %v, %v", in, b.D, err)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"13800138000", "+86 519 86123456", "6228480000000000018", "11320400MB00000002", "320402005001", "2026-11-22", "０", "\x00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePhone(s); err == nil {
			if again, err := ParsePhone(p.Reveal()); err != nil || again != p {
				t.Fatalf("phone %q became %q", s, p.Reveal())
			}
		} else if code(err) == "" {
			t.Fatal(err)
		}
		if a, err := ParseAccount(s); err == nil {
			if again, err := ParseAccount(a.Reveal()); err != nil || again != a || len(a.Tail4()) != 4 {
				t.Fatalf("account %q became %q", s, a.Reveal())
			}
			_ = a.LuhnOK()
		}
		if c, err := ParseCreditCode(s); err == nil && len(c) != 18 {
			t.Fatalf("credit code %q became %q", s, c)
		}
		if c, err := ParseDivision(s); err == nil && (len(c) != 12 || c.Level() == NoLevel) {
			t.Fatalf("division %q became %q", s, c)
		}
		if d, err := ParseDay(s); err == nil && d.String() != s {
			t.Fatalf("day %q became %q", s, d)
		}
		for _, kind := range PaperKinds() {
			if p, err := ParsePaper(kind, s, today); err == nil {
				if again, err := ParsePaper(kind, p.Reveal(), today); err != nil || again != p {
					t.Fatalf("%s %q became %q", kind, s, p.Reveal())
				}
			}
		}
	})
}
