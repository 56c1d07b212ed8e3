package civil

import (
	"cmp"
	"fmt"
	"time"
)

// Day is a day of the civil calendar, without a time or a zone. It is
// comparable and may be a map key. JSON and YAML carry it as "2026-11-22"; the
// zero value is no day and is written as "".
type Day struct {
	year  int16
	month uint8
	day   uint8
}

// Date is the day of that date; it returns the zero Day when there is no such
// date between the years 1 and 9999.
func Date(year int, month time.Month, day int) Day {
	if year < 1 || year > 9999 {
		return Day{}
	}
	// A date that is not there comes out as another one, in another month or on another day of it.
	if _, m, d := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Date(); m != month || d != day {
		return Day{}
	}
	return Day{int16(year), uint8(month), uint8(day)}
}

// ParseDay reads "2026-11-22" and nothing else.
func ParseDay(s string) (Day, error) {
	if s == "" {
		return Day{}, required("日期")
	}
	if fullWidth(s) {
		return Day{}, errFullWidth
	}
	if len(s) != 10 || s[4] != '-' || s[7] != '-' || !digits(s[:4]+s[5:7]+s[8:]) {
		return Day{}, Problem{"day_form", "日期请写成“2026-11-22”这样的形式。"}
	}
	d := Date(number(s[:4]), time.Month(number(s[5:7])), number(s[8:]))
	if d.IsZero() {
		return Day{}, Problem{"day_absent", "没有这一天，请核对年月日。"}
	}
	return d, nil
}

// number is the value of a short string of digits.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// DayOf is the day that t falls on in zone.
func DayOf(t time.Time, zone *time.Location) Day {
	y, m, d := t.In(zone).Date()
	return Date(y, m, d)
}

// IsZero reports whether d is no day.
func (d Day) IsZero() bool { return d == Day{} }

// Year is the year of d.
func (d Day) Year() int { return int(d.year) }

// Month is the month of d.
func (d Day) Month() time.Month { return time.Month(d.month) }

// DayOfMonth is 1 to 31.
func (d Day) DayOfMonth() int { return int(d.day) }

// Weekday is the day of the week.
func (d Day) Weekday() time.Weekday { return d.Start(time.UTC).Weekday() }

// Start is 00:00 of d in zone.
func (d Day) Start(zone *time.Location) time.Time {
	return time.Date(int(d.year), time.Month(d.month), int(d.day), 0, 0, 0, 0, zone)
}

// AddDays is n days after d, or before it when n is negative.
func (d Day) AddDays(n int) Day { return DayOf(d.Start(time.UTC).AddDate(0, 0, n), time.UTC) }

// AddYears is the same date n years on; 29 February becomes 1 March in a year
// that has none, so that nobody reaches an age a day early.
func (d Day) AddYears(n int) Day { return DayOf(d.Start(time.UTC).AddDate(n, 0, 0), time.UTC) }

// Compare is negative when d is before e, positive when after, else 0.
func (d Day) Compare(e Day) int {
	return cmp.Or(cmp.Compare(d.year, e.year), cmp.Compare(d.month, e.month), cmp.Compare(d.day, e.day))
}

// Before reports whether d is earlier than e.
func (d Day) Before(e Day) bool { return d.Compare(e) < 0 }

// After reports whether d is later than e.
func (d Day) After(e Day) bool { return d.Compare(e) > 0 }

// String is "2026-11-22", or "" for no day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
}

// Chinese is "2026年11月22日", for sentences.
func (d Day) Chinese() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d年%d月%d日", d.year, d.month, d.day)
}

// MarshalText is String.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote; "" is no day.
func (d *Day) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Day{}
		return nil
	}
	parsed, err := ParseDay(string(b))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
