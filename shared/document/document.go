// Package document is evidence: a photo somebody took of a paper, a wound or a
// burnt house. It holds what a document may be, how it is cleaned before it is
// kept, and where its content goes. It knows no HTTP and no rule; whether a
// document proves anything is for a person to say.
package document

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
)

// Kind is what a document shows.
type Kind string

// The kinds.
const (
	IdentityPaper Kind = "identity"      // 身份证件
	Authorisation Kind = "authorisation" // 纸质授权书，签字按手印
	Incident      Kind = "incident"      // 事故、火灾等现场或证明
	Medical       Kind = "medical"       // 诊断、费用单据
	Income        Kind = "income"        // 收入、失业证明
	Guardianship  Kind = "guardianship"  // 监护关系证明
	Other         Kind = "other"         // 其他
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{IdentityPaper, Authorisation, Incident, Medical, Income, Guardianship, Other}
}

// Valid reports whether k is one of Kinds.
func (k Kind) Valid() bool { return slices.Contains(Kinds(), k) }

// Label is the kind's name in Chinese.
func (k Kind) Label() string {
	return map[Kind]string{IdentityPaper: "身份证件", Authorisation: "授权书", Incident: "事故或受灾证明", Medical: "就医材料",
		Income: "收入或失业证明", Guardianship: "监护关系证明", Other: "其他材料"}[k]
}

// MaxPerApplication is how many documents one application may have.
const MaxPerApplication = 30

// Document is what is known about one document; its content is in a Store.
type Document struct {
	ID       string    `json:"id"`
	Kind     Kind      `json:"kind"`
	Media    string    `json:"media_type"`
	Received string    `json:"sha256"`        // of what was sent
	Stored   string    `json:"stored_sha256"` // of what is kept
	Bytes    int       `json:"bytes"`         // of what is kept
	Width    int       `json:"width"`
	Height   int       `json:"height"`
	Account  string    `json:"account"` // who sent it
	At       time.Time `json:"at"`
}

// Prefix begins the sort key of every document of an application.
const Prefix = "DOCUMENT#"

// ID is the identifier of a picture within a partition: the same picture is the
// same document, however often it is sent.
func ID(partition string, p Picture) string { return ident.Derive("document", partition, p.Received) }

// Key is where a document is kept.
func Key(partition, id string) table.Key { return table.Key{PK: partition, SK: Prefix + id} }

// Put is the write that adds d to a partition.
func (d Document) Put(partition string) (table.Write, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return table.Put{Item: table.Item{Key: Key(partition, d.ID), Version: 1, Body: body}}, nil
}

// List reads all documents of a partition.
func List(ctx context.Context, t table.Store, partition string) ([]Document, error) {
	page, err := t.Query(ctx, table.Query{PK: partition, Limit: table.MaxPage}.Prefix(Prefix))
	if err != nil {
		return nil, err
	}
	all := make([]Document, 0, len(page.Items))
	for _, item := range page.Items {
		d, err := Decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Decode reads a stored document.
func Decode(item table.Item) (Document, error) {
	var d Document
	if err := json.Unmarshal(item.Body, &d); err != nil || !strings.HasPrefix(item.Key.SK, Prefix) {
		return d, fmt.Errorf("document: %s %s is unreadable", item.Key.PK, item.Key.SK)
	}
	return d, nil
}

// Store keeps the content of documents, sealed. Put of what is there already
// is no error, because content is named by its digest; Get of what is not there
// is ErrNotFound.
type Store interface {
	Put(ctx context.Context, partition, id string, content []byte) error
	Get(ctx context.Context, partition, id string) ([]byte, error)
}
