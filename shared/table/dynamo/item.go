package dynamo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// The attributes of a stored item. A counter is called n_<name>; a place is
// called <index>pk and <index>sk; ttl is in seconds, as DynamoDB's expiry wants.
const (
	attrPK      = "pk"
	attrSK      = "sk"
	attrVersion = "v"
	attrBody    = "body"
	attrToken   = "tx" // of the attempt that wrote the item last
	attrExpires = "ttl"
	counterMark = "n_"
)

// ExpiresName is the attribute by which DynamoDB lets items expire.
const ExpiresName = attrExpires

// KeyNames are the attributes that are the key of an index, or of the table
// itself for "".
func KeyNames(i table.Index) (pk, sk string) {
	if i == "" {
		return attrPK, attrSK
	}
	return placePK(i), placeSK(i)
}

// Value is an attribute: a string, a number in decimal or bytes. One of a type
// that the store never writes is none of them.
type Value struct {
	S *string `json:",omitempty"`
	N *string `json:",omitempty"`
	B []byte  `json:",omitempty"`
}

type attributes = map[string]Value

func text(s string) Value { return Value{S: &s} }

func number(n int64) Value {
	s := strconv.FormatInt(n, 10)
	return Value{N: &s}
}

func keyOf(k table.Key) attributes { return attributes{attrPK: text(k.PK), attrSK: text(k.SK)} }

func placePK(i table.Index) string { return string(i) + "pk" }
func placeSK(i table.Index) string { return string(i) + "sk" }

func encode(it table.Item, token string) attributes {
	a := make(attributes, 6+len(it.Counters)+2*len(it.Places))
	a[attrPK], a[attrSK] = text(it.Key.PK), text(it.Key.SK)
	a[attrVersion], a[attrToken] = number(it.Version), text(token)
	if len(it.Body) > 0 {
		a[attrBody] = Value{B: it.Body}
	}
	for name, v := range it.Counters {
		a[counterMark+name] = number(v)
	}
	for _, p := range it.Places {
		a[placePK(p.Index)], a[placeSK(p.Index)] = text(p.PK), text(p.SK)
	}
	if !it.Expires.IsZero() {
		a[attrExpires] = number(it.Expires.Unix())
	}
	return a
}

// fields reads attributes; after the first fault it gives zeros.
type fields struct {
	a     attributes
	fault error
}

func (f *fields) text(name string) string {
	v := f.a[name].S
	if v == nil {
		f.fail(name)
		return ""
	}
	return *v
}

func (f *fields) number(name string) int64 {
	v := f.a[name].N
	if v == nil {
		f.fail(name)
		return 0
	}
	n, err := strconv.ParseInt(*v, 10, 64)
	if err != nil {
		f.fail(name)
	}
	return n
}

func (f *fields) fail(name string) {
	if f.fault == nil {
		f.fault = fmt.Errorf("dynamo: stored item has no readable attribute %q", name)
	}
}

func decode(a attributes) (table.Item, error) {
	f := fields{a: a}
	it := table.Item{Key: table.Key{PK: f.text(attrPK), SK: f.text(attrSK)}, Version: f.number(attrVersion)}
	it.Body = a[attrBody].B
	for name := range a {
		if counter, ok := strings.CutPrefix(name, counterMark); ok {
			if it.Counters == nil {
				it.Counters = map[string]int64{}
			}
			it.Counters[counter] = f.number(name)
		}
	}
	for _, i := range table.Indexes() {
		if _, ok := a[placePK(i)]; ok {
			it.Places = append(it.Places, table.Place{Index: i, PK: f.text(placePK(i)), SK: f.text(placeSK(i))})
		}
	}
	if _, ok := a[attrExpires]; ok {
		it.Expires = time.Unix(f.number(attrExpires), 0).UTC()
	}
	return it, f.fault
}

// tokenOf is the token of the attempt that wrote the item last.
func tokenOf(a attributes) string {
	if v := a[attrToken].S; v != nil {
		return *v
	}
	return ""
}
