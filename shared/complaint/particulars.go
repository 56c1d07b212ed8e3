package complaint

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Particulars are what the complainant said, and who that is, as far as it was
// told. They are two fields, sealed apart, so that reading the words opens
// nobody's name.
type Particulars struct {
	Description redact.Text
	TargetName  redact.Text // the unit or person complained about, as named
	Identity    Identity
}

// Identity is who complained, and whatever leads to the person: the case too.
type Identity struct {
	Name  redact.Text
	Phone redact.Text
	// Case is the application it is linked to; "" for none.
	Case string
	// Taken is the member of staff who entered it for the person, by telephone.
	Taken string
}

// Nobody reports whether nothing is known of who complained.
func (i Identity) Nobody() bool { return i.Name.Empty() && i.Phone.Empty() && i.Case == "" }

// words and identity are the sealed forms.
type words struct {
	Description string `json:"description"`
	TargetName  string `json:"target_name,omitempty"`
}

type identity struct {
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
	Case  string `json:"case,omitempty"`
	Taken string `json:"taken,omitempty"`
}

// sealed is what is stored.
type sealed struct {
	Words    []byte `json:"words"`
	Identity []byte `json:"identity,omitempty"`
}

func particularsKey(id string) table.Key {
	return table.Key{PK: Partition(id), SK: "PARTICULARS"}
}

func place(id, field string) seal.Place {
	k := particularsKey(id)
	return seal.Place{Table: application.TableName, PK: k.PK, SK: k.SK, Field: field}
}

// put is the write that keeps p beside its complaint.
func (p Particulars) put(ctx context.Context, box *seal.Box, id string) (table.Write, error) {
	var s sealed
	var err error
	if s.Words, err = sealJSON(ctx, box, place(id, "words"), words{p.Description.Reveal(), p.TargetName.Reveal()}); err != nil {
		return nil, err
	}
	if i := p.Identity; !i.Nobody() || i.Taken != "" {
		if s.Identity, err = sealJSON(ctx, box, place(id, "identity"), identity{i.Name.Reveal(), i.Phone.Reveal(), i.Case, i.Taken}); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("complaint: particulars: %w", err)
	}
	return table.Put{Item: table.Item{Key: particularsKey(id), Version: 1, Body: body}}, nil
}

func sealJSON(ctx context.Context, box *seal.Box, at seal.Place, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("complaint: particulars: %w", err)
	}
	return box.Seal(ctx, at, plain)
}

func openJSON(ctx context.Context, box *seal.Box, at seal.Place, sealed []byte, into any) error {
	plain, err := box.Open(ctx, at, sealed)
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, into) != nil {
		return fmt.Errorf("complaint: %s: particulars are unreadable", at.PK) // the decoder's words could quote them
	}
	return nil
}

func readSealed(ctx context.Context, t table.Store, id string) (s sealed, err error) {
	item, ok, err := t.Get(ctx, particularsKey(id))
	if err != nil {
		return s, err
	}
	if !ok {
		return s, fmt.Errorf("complaint: %s has no particulars", id)
	}
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return s, fmt.Errorf("complaint: %s: %w", id, err)
	}
	return s, nil
}

// OpenWords reads what was said. Whoever gets it must be of the supervision body:
// the words may show who the person is.
func OpenWords(ctx context.Context, t table.Store, box *seal.Box, id string) (description, targetName redact.Text, err error) {
	s, err := readSealed(ctx, t, id)
	if err != nil {
		return description, targetName, err
	}
	var w words
	err = openJSON(ctx, box, place(id, "words"), s.Words, &w)
	return redact.New(w.Description), redact.New(w.TargetName), err
}

// OpenIdentity reads who complained. The reading itself must be an event first.
func OpenIdentity(ctx context.Context, t table.Store, box *seal.Box, id string) (Identity, error) {
	s, err := readSealed(ctx, t, id)
	if err != nil || len(s.Identity) == 0 {
		return Identity{}, err
	}
	var i identity
	err = openJSON(ctx, box, place(id, "identity"), s.Identity, &i)
	return Identity{redact.New(i.Name), redact.New(i.Phone), i.Case, i.Taken}, err
}
