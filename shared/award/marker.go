package award

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/table"
)

// Absence cannot be locked, so both rules are items that must not exist yet, and one
// that every award of somebody's household moves on (History):
//
//	PERSON#<ref>  ONCE#<year>#<cause>      the first award of the year for the cause
//	PERSON#<ref>  ONCE#<year>#<cause>#<n>  the nth, by a reasoned exception
//	PERSON#<ref>  ONCE                     what counts for the person, their household's awards too
//	PAYEE#<ref>   HOLDER                   whose account it is
//
// While keys rotate, a person has a reference under every live key. Markers are
// put under all of them, so that whoever knows only one key still meets them.

// once is what a marker of the year says.
type once struct {
	Application string       `json:"application"`
	Award       string       `json:"award"`
	Cause       policy.Cause `json:"cause"`
	AmountFen   money.Fen    `json:"amount_fen"`
	Exception   string       `json:"exception,omitempty"`
	At          time.Time    `json:"at"`
	// Shared: it was given to somebody with whom the person then lived.
	Shared bool `json:"shared,omitempty"`
}

// id is what tells one award from another.
func (o once) id() string { return o.Application + "#" + o.Award }

func onceOf(a Award) once {
	return once{Application: a.Application, Award: a.ID, Cause: a.Cause, AmountFen: a.AmountFen, Exception: a.Exception, At: a.At}
}

type holder struct {
	Person []string `json:"person"` // one human being under every key live at the time
}

func person(ref string) string { return "PERSON#" + ref }

const oncePrefix = "ONCE#"

func (a Award) onceKey() string { return fmt.Sprintf("%s%04d#%s", oncePrefix, a.Year, a.Cause) }

func payeeKey(ref string) table.Key { return table.Key{PK: "PAYEE#" + ref, SK: "HOLDER"} }

// Markers are the writes that keep a from being made twice. It reads what is
// there: ErrOnce when a first award exists and a names no exception,
// ErrPayeeTaken when the account is another person's. Between reading and
// writing another award may slip in; then the transaction fails on a marker and
// the caller starts again.
func Markers(ctx context.Context, t table.Store, a Award) ([]table.Write, error) {
	var writes []table.Write
	for _, ref := range append([]string{a.Subject}, a.Subjects...) {
		w, err := onceMarker(ctx, t, a, ref)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	payee, err := PayeeMarkers(ctx, t, a)
	if err != nil {
		return nil, err
	}
	return append(writes, payee...), nil
}

func onceMarker(ctx context.Context, t table.Store, a Award, ref string) (table.Write, error) {
	made, err := markers(ctx, t, person(ref), a.onceKey())
	if err != nil {
		return nil, err
	}
	n, sk := 0, a.onceKey()
	for _, item := range made {
		// A longer cause may begin with this one.
		if item.Key.SK == sk || strings.HasPrefix(item.Key.SK, sk+"#") {
			n++
		}
	}
	if n > 0 {
		if a.Exception == "" {
			return nil, ErrOnce
		}
		sk = fmt.Sprintf("%s#%03d", sk, n+1)
	}
	body, err := json.Marshal(onceOf(a))
	if err != nil {
		return nil, fmt.Errorf("award: %w", err)
	}
	return table.Put{Item: table.Item{Key: table.Key{PK: person(ref), SK: sk}, Version: 1, Body: body}}, nil
}

// markers reads the items in partition pk whose sort keys begin with prefix.
func markers(ctx context.Context, t table.Store, pk, prefix string) ([]table.Item, error) {
	var out []table.Item
	q := table.Query{PK: pk}.Prefix(prefix)
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// PayeeMarkers are the writes that tie the account to its holder: a Put the
// first time, a Check when it is the same person again. None for cash.
func PayeeMarkers(ctx context.Context, t table.Store, a Award) ([]table.Write, error) {
	if a.Payee == "" {
		return nil, nil
	}
	people := []string{a.holder()}
	if a.holder() == a.Subject {
		people = append(people, a.Subjects...)
	}
	body, err := json.Marshal(holder{people})
	if err != nil {
		return nil, fmt.Errorf("award: %w", err)
	}
	var writes []table.Write
	for _, ref := range append([]string{a.Payee}, a.Payees...) {
		item, ok, err := t.Get(ctx, payeeKey(ref))
		if err != nil {
			return nil, err
		}
		if !ok {
			writes = append(writes, table.Put{Item: table.Item{Key: payeeKey(ref), Version: 1, Body: body}})
			continue
		}
		var h holder
		if err := json.Unmarshal(item.Body, &h); err != nil {
			return nil, fmt.Errorf("award: %s: %w", item.Key.PK, err)
		}
		if !slices.ContainsFunc(people, func(p string) bool { return slices.Contains(h.Person, p) }) {
			return nil, ErrPayeeTaken
		}
		writes = append(writes, table.Check{Key: payeeKey(ref), Version: item.Version})
	}
	return writes, nil
}
