package evidence

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Leaf is one event as the log has it: whatever could say which citizen it was
// about is not there, and a salted commitment to it is. Who has the salt and the
// event can show that they belong together; who has neither learns nothing, and
// when the salt is erased nobody ever will.
type Leaf struct {
	PK      string      `json:"pk"` // partition of the thing; a pseudonym where it names a person
	Noun    string      `json:"noun"`
	ID      string      `json:"id"` // a pseudonym where it names a person
	Version int64       `json:"version"`
	Kind    string      `json:"kind"`
	At      time.Time   `json:"at"`     // when it happened, as whoever did it says
	Logged  time.Time   `json:"logged"` // when the sequencer took it; never falls along the log
	Actor   Actor       `json:"actor"`
	Reason  string      `json:"reason,omitempty"`
	Rules   string      `json:"rules,omitempty"`
	Facts   event.Facts `json:"facts,omitempty"` // strings, whole numbers and booleans
	// Hidden are commitments, by the name of what they hide: "actor.id", "facts.payee".
	Hidden map[string]string `json:"hidden,omitempty"`
}

// Actor is who did it; a citizen's account is not told.
type Actor struct {
	Kind event.ActorKind `json:"kind"`
	ID   string          `json:"id,omitempty"`
}

// MaxLeaf is the most bytes of one leaf: an entry of a C2SP tile is no longer.
const MaxLeaf = 1<<16 - 1

// Unreadable is the kind of a leaf whose event item nobody can read: it is in the
// log all the same, because the log leaves nothing out.
const Unreadable = "unreadable"

// reference is a keyed reference of a person, an account or a payee (seal.Blind).
// Whatever holds one names somebody to those who have the key.
var reference = regexp.MustCompile(`b[0-9]+\.[0-9a-hjkmnp-tv-z]{52}`)

// whole is a whole number as JSON has it.
var whole = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// saltBytes is the length of a salt.
const saltBytes = 32

// commit is the commitment to value, which stands at name within one version of
// one thing: the same value elsewhere has another commitment.
func commit(salt []byte, e event.Event, name string, value []byte) string {
	mac := hmac.New(sha256.New, salt)
	for _, part := range [][]byte{[]byte(e.PK), []byte(e.Noun), []byte(e.ID), []byte(strconv.FormatInt(e.Version, 10)), []byte(name), value} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write(part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// pseudonym stands for a name in every leaf of the salt's partition, so that the
// versions of one thing can be told to be of one thing.
func pseudonym(salt []byte, name string) string {
	if !reference.MatchString(name) {
		return name
	}
	return "~" + commit(salt, event.Event{}, "name", []byte(name))
}

// madePrefix begins the names of commitments to items that were written with an
// event, before their sort keys.
const madePrefix = "made."

func made(salt []byte, sk string) string { return madePrefix + pseudonym(salt, sk) }

// commitItem is the commitment to an item's digest. It says where the item is and
// not which version made it, so that it can be made again from the item alone.
func commitItem(salt []byte, key table.Key, sum []byte) string {
	return commit(salt, event.Event{PK: key.PK, ID: key.SK}, "made", sum)
}

// NewLeaf is the leaf of e under the salt of its partition. It takes every event:
// one that it refused would stop the log for all that come after.
func NewLeaf(e event.Event, salt []byte, logged time.Time) Leaf {
	l := Leaf{PK: pseudonym(salt, e.PK), Noun: e.Noun, ID: pseudonym(salt, e.ID), Version: e.Version, Kind: e.Kind,
		At: e.At.UTC(), Logged: logged.UTC(), Actor: Actor{Kind: e.Actor.Kind, ID: e.Actor.ID}, Reason: e.Reason, Rules: e.Rules}
	hide := func(name string, value []byte) {
		if l.Hidden == nil {
			l.Hidden = map[string]string{}
		}
		l.Hidden[name] = commit(salt, e, name, value)
	}
	if e.Actor.Kind == event.Citizen || reference.MatchString(e.Actor.ID) {
		hide("actor.id", []byte(e.Actor.ID))
		l.Actor.ID = ""
	}
	if e.Actor.Person != "" {
		hide("actor.person", []byte(e.Actor.Person))
	}
	if len(e.Note) > 0 {
		hide("note", e.Note)
	}
	if e.Request != nil {
		hide("request", plain(e.Request))
	}
	if e.Trace != "" {
		hide("trace", []byte(e.Trace))
	}
	for sk, sum := range e.Made {
		if l.Hidden == nil {
			l.Hidden = map[string]string{}
		}
		l.Hidden[made(salt, sk)] = commitItem(salt, table.Key{PK: e.PK, SK: sk}, sum)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
		value := fact(e.Facts[name])
		if text, ok := value.(string); ok && reference.MatchString(text) || reference.MatchString(name) {
			hide("facts."+pseudonym(salt, name), []byte(fmt.Sprint(value)))
			continue
		}
		if l.Facts == nil {
			l.Facts = event.Facts{}
		}
		l.Facts[name] = value
	}
	// What is too long for an entry is hidden, the longest first.
	for len(plain(l)) > MaxLeaf && len(l.Facts) > 0 {
		longest := slices.MaxFunc(slices.Sorted(maps.Keys(l.Facts)), func(a, b string) int { return len(plain(l.Facts[a])) - len(plain(l.Facts[b])) })
		hide("facts."+longest, []byte(fmt.Sprint(l.Facts[longest])))
		delete(l.Facts, longest)
	}
	return l
}

// fact is v as a leaf may hold it: what is neither text, whole number nor truth
// is its JSON as text.
func fact(v any) any {
	switch v := v.(type) {
	case string, bool:
		return v
	case json.Number:
		if whole.MatchString(v.String()) {
			return v
		}
		return v.String()
	}
	raw := plain(v)
	if whole.Match(raw) {
		return json.Number(raw)
	}
	return string(raw)
}

// Encode is the one way to write l: fields in the order of the struct, facts by
// name, nothing escaped that JSON lets stand.
func (l Leaf) Encode() []byte { return plain(l) }

// plain is v as JSON in one line. What cannot be written is its name as text.
func plain(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		b.Reset()
		_ = enc.Encode(fmt.Sprintf("%T: %v", v, err)) // text can be written
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ErrLeaf is a leaf in another form than Encode's.
var ErrLeaf = errors.New("evidence: not a leaf in canonical form")

// ParseLeaf reads a leaf; ErrLeaf when raw is not what Encode writes, byte for byte.
func ParseLeaf(raw []byte) (Leaf, error) {
	if len(raw) > MaxLeaf {
		return Leaf{}, ErrLeaf
	}
	if l, ok := canonical(raw); ok {
		return l, nil
	}
	return decoded(raw)
}

// decoded reads a leaf by the general decoder, and holds it to what Encode writes.
func decoded(raw []byte) (Leaf, error) {
	var l Leaf
	if !utf8.Valid(raw) {
		return l, ErrLeaf
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("%w: %v", ErrLeaf, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || !bytes.Equal(l.Encode(), raw) {
		return l, ErrLeaf
	}
	if l.PK == "" || l.Noun == "" || l.ID == "" || l.Version < 1 || l.Kind == "" || l.Logged.IsZero() {
		return l, ErrLeaf
	}
	for _, v := range l.Facts {
		if n, ok := v.(json.Number); ok && !whole.MatchString(n.String()) {
			return l, ErrLeaf
		}
		switch v.(type) {
		case string, bool, json.Number:
		default:
			return l, ErrLeaf
		}
	}
	return l, nil
}

// Thing names what the leaf is about, for comparing versions.
func (l Leaf) Thing() string { return l.PK + "\x00" + l.Noun + "\x00" + l.ID }

// Name is how the leaf's event is spoken of: partition, noun, id and version.
func (l Leaf) Name() string { return fmt.Sprintf("%s %s/%s v%d", l.PK, l.Noun, l.ID, l.Version) }

// Made are the commitments to items that were written with the leaf's event, by the
// name of each: its sort key, a pseudonym where that names a person.
func (l Leaf) Made() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, sum := range l.Hidden {
			if sk, ok := strings.CutPrefix(name, madePrefix); ok && !yield(sk, sum) {
				return
			}
		}
	}
}
