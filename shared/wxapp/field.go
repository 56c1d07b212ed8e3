package wxapp

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// ErrField says that a value does not fit its template field and cannot be cut
// to fit. It holds no value.
var ErrField = errors.New("wxapp: a message field does not fit its type")

// fields are the types of template fields and what WeChat lets each hold. The
// key of a field is its type and a number: "thing3". They are read when the first
// message is made: sign-in has this package too, and would wait for them.
var fields = sync.OnceValue(func() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"thing":            regexp.MustCompile(`^.{1,20}$`),
		"number":           regexp.MustCompile(`^[0-9.]{1,32}$`),
		"letter":           regexp.MustCompile(`^[A-Za-z]{1,32}$`),
		"symbol":           regexp.MustCompile(`^[^\pL\pN]{1,5}$`),
		"character_string": regexp.MustCompile(`^[!-~ ]{1,32}$`),
		"time":             regexp.MustCompile(`^` + timeForm + `(~` + timeForm + `)?$`),
		"date":             regexp.MustCompile(`^` + dateForm + `(~` + dateForm + `)?$`),
		"amount":           regexp.MustCompile(`^[¥￥$]?[0-9]{1,10}(\.[0-9]{1,2})?元?$`),
		"phone_number":     regexp.MustCompile(`^[0-9+*() -]{1,17}$`),
		"car_number":       regexp.MustCompile(`^[\p{Han}A-Z0-9]{1,8}$`),
		"name":             regexp.MustCompile(`^([\p{Han}·*]{1,10}|[A-Za-z ·.*-]{1,20})$`),
		"phrase":           regexp.MustCompile(`^\p{Han}{1,5}$`),
		"const":            regexp.MustCompile(`^.{1,20}$`),
		"enum":             regexp.MustCompile(`^.{1,20}$`),
	}
})

const (
	clockForm = `([01]?[0-9]|2[0-3]):[0-5][0-9]`
	dayForm   = `[0-9]{4}年(0?[1-9]|1[0-2])月(0?[1-9]|[12][0-9]|3[01])日`
	timeForm  = `(` + dayForm + ` )?` + clockForm
	dateForm  = dayForm + `( ` + clockForm + `)?`
)

var keyForm = regexp.MustCompile(`^([a-z_]+?)([0-9]{1,3})$`)

// Fit makes a value fit the field that key names, as WeChat's limits have it:
// line breaks and other invisible characters become spaces, and a thing that is
// too long is cut to 20 characters, the last an ellipsis. Everything else that
// does not fit is ErrField: half an amount or half a name misinforms.
func Fit(key, value string) (string, error) {
	m := keyForm.FindStringSubmatch(key)
	if m == nil || !utf8.ValidString(value) {
		return "", ErrField
	}
	form, ok := fields()[m[1]]
	if !ok {
		return "", ErrField
	}
	value = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, value)), " ")
	if r := []rune(value); m[1] == "thing" && len(r) > 20 {
		value = string(r[:19]) + "…"
	}
	if !form.MatchString(value) {
		return "", ErrField
	}
	return value, nil
}
