package evidence

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/event"
)

// canonical reads the leaves that the log writes, all but a few: fields in their
// order, text without escapes, times in UTC. A million of them are read in one
// check, and the general decoder takes ten times as long. It takes nothing that
// ParseLeaf's slow way would not take, and reads it as that does; ok is false for
// whatever it is not sure of.
func canonical(raw []byte) (l Leaf, ok bool) {
	if !utf8.Valid(raw) {
		return l, false
	}
	c := cursor{left: string(raw), ok: true}
	l.PK = c.named(`{"pk":`)
	l.Noun = c.named(`,"noun":`)
	l.ID = c.named(`,"id":`)
	c.skip(`,"version":`)
	l.Version = c.count()
	l.Kind = c.named(`,"kind":`)
	c.skip(`,"at":`)
	l.At = c.time()
	c.skip(`,"logged":`)
	l.Logged = c.time()
	c.skip(`,"actor":{"kind":`)
	l.Actor.Kind = event.ActorKind(c.text())
	if c.has(`,"id":`) {
		l.Actor.ID = c.filled()
	}
	c.skip(`}`)
	if c.has(`,"reason":`) {
		l.Reason = c.filled()
	}
	if c.has(`,"rules":`) {
		l.Rules = c.filled()
	}
	if c.has(`,"facts":{`) {
		l.Facts = event.Facts{}
		c.members(func(name string) { l.Facts[name] = c.fact() })
	}
	if c.has(`,"hidden":{`) {
		l.Hidden = map[string]string{}
		c.members(func(name string) { l.Hidden[name] = c.text() })
	}
	c.skip(`}`)
	return l, c.ok && c.left == ""
}

// cursor reads from the left; once something is not as expected it is not ok, and
// what it gives is nothing.
type cursor struct {
	left string
	ok   bool
}

func (c *cursor) has(what string) bool {
	rest, ok := strings.CutPrefix(c.left, what)
	if ok {
		c.left = rest
	}
	return ok
}

func (c *cursor) skip(what string) {
	if !c.has(what) {
		c.ok = false
	}
}

// text is a string without escapes, of which the encoder writes none either.
func (c *cursor) text() string {
	if !c.ok || c.left == "" || c.left[0] != '"' {
		c.ok = false
		return ""
	}
	for i := 1; i < len(c.left); i++ {
		switch b := c.left[i]; {
		case b == '"':
			text := c.left[1:i]
			c.left = c.left[i+1:]
			return text
		case b == '\\' || b < ' ':
			c.ok = false
			return ""
		case b == 0xE2 && (strings.HasPrefix(c.left[i:], "\u2028") || strings.HasPrefix(c.left[i:], "\u2029")):
			c.ok = false // the encoder escapes these two
			return ""
		}
	}
	c.ok = false
	return ""
}

func (c *cursor) filled() string {
	text := c.text()
	c.ok = c.ok && text != ""
	return text
}

func (c *cursor) named(field string) string {
	c.skip(field)
	return c.filled()
}

// digits are the digits that come next, without a needless zero, and no more than
// fit an int64.
func (c *cursor) digits() string {
	n := 0
	for n < len(c.left) && c.left[n] >= '0' && c.left[n] <= '9' {
		n++
	}
	if n == 0 || n > 18 || c.left[0] == '0' && n > 1 {
		c.ok = false
		return ""
	}
	text := c.left[:n]
	c.left = c.left[n:]
	return text
}

func (c *cursor) count() int64 {
	n, err := strconv.ParseInt(c.digits(), 10, 64)
	c.ok = c.ok && err == nil && n > 0
	return n
}

// fact is text, a whole number or a truth.
func (c *cursor) fact() any {
	switch {
	case strings.HasPrefix(c.left, `"`):
		return c.text()
	case c.has("true"):
		return true
	case c.has("false"):
		return false
	}
	whole := c.left
	negative := c.has("-")
	digits := c.digits()
	c.ok = c.ok && !(negative && digits == "0")
	if !c.ok {
		return nil
	}
	return json.Number(whole[:len(whole)-len(c.left)])
}

// members are the names of an object, each greater than the one before, with what
// value reads after each.
func (c *cursor) members(value func(name string)) {
	last := ""
	for first := true; c.ok; first = false {
		if !first && c.has("}") {
			return
		}
		if !first {
			c.skip(",")
		}
		name := c.text()
		c.ok = c.ok && (first || name > last)
		c.skip(":")
		value(name)
		last = name
	}
}

// time is a time in UTC as the encoder writes it.
func (c *cursor) time() time.Time {
	text := c.filled()
	number := func(from, to int) (n int) {
		if c.ok = c.ok && to <= len(text); !c.ok {
			return 0
		}
		for _, b := range []byte(text[from:to]) {
			c.ok = c.ok && b >= '0' && b <= '9'
			n = n*10 + int(b-'0')
		}
		return n
	}
	year, month, day, hour, minute, second := number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19)
	if !c.ok || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[len(text)-1] != 'Z' ||
		year < 1000 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		c.ok = false
		return time.Time{}
	}
	nanos := 0
	if len(text) > 20 {
		fraction := len(text) - 21
		nanos = number(20, len(text)-1)
		c.ok = c.ok && text[19] == '.' && fraction >= 1 && fraction <= 9 && text[len(text)-2] != '0'
		for range 9 - fraction {
			nanos *= 10
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	c.ok = c.ok && t.Day() == day && t.Month() == time.Month(month)
	return t
}
