package application

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Consent is one person's agreement to be verified in the registers (授权书,
// Law art. 40): who agreed, to which words, when, and through which account.
// People are keyed references, so nothing personal is in the clear.
type Consent struct {
	Person   string    `json:"person"`
	Document string    `json:"document_sha256"` // of the words or of the signed paper
	Text     string    `json:"text"`            // version of the words, or PaperText
	Signer   Signer    `json:"signer"`
	Guardian string    `json:"guardian,omitempty"` // who signed for a minor
	Account  string    `json:"account"`            // through which account it came
	At       time.Time `json:"at"`
	Version  int64     `json:"-"`
}

// Signer is in what quality somebody agreed.
type Signer string

// The signers.
const (
	Own      Signer = "self"     // with the account of their own
	Family   Signer = "family"   // on the phone of somebody who applies with or for them
	Guardian Signer = "guardian" // a guardian, for a minor
)

// PaperText is the Text of a consent given on paper with a signature or a
// fingerprint, a photo of which is among the documents.
const PaperText = "paper"

// Words is one version of the text that people agree to.
type Words struct {
	Version string // from which month it is in use
	Title   string
	Text    string
	SHA256  string // of Text, in hex: what the person's device sends back
}

//go:embed authorisation.txt
var authorisation string

// Authorisation is the text now in use.
func Authorisation() Words {
	sum := sha256.Sum256([]byte(authorisation))
	title, _, _ := strings.Cut(authorisation, "\n")
	return Words{Version: "2026-11", Title: title, Text: authorisation, SHA256: hex.EncodeToString(sum[:])}
}

// Agreement is one consent as it is asked for: who, by role, and to what.
type Agreement struct {
	Role     string
	Document string // SHA-256 in hex
}

// consentKey is where the consent of the person behind ref is kept.
func consentKey(id, ref string) table.Key {
	return table.Key{PK: Partition(id), SK: "CONSENT#" + ref}
}

// Put is the write that keeps c for the first time, Version 0, or in place of
// an earlier one.
func (c Consent) Put(id string) (table.Write, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("application: consent: %w", err)
	}
	item := table.Item{Key: consentKey(id, c.Person), Version: c.Version + 1, Body: body}
	return table.Step(item), nil
}

// Consents reads who has agreed, by keyed reference.
func Consents(ctx context.Context, t table.Store, id string) (map[string]Consent, error) {
	all := map[string]Consent{}
	q := table.Query{PK: Partition(id), Limit: table.MaxPage}.Prefix("CONSENT#")
	page, err := t.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, item := range page.Items {
		var c Consent
		if err := json.Unmarshal(item.Body, &c); err != nil {
			return nil, fmt.Errorf("application: %s %s: %w", item.Key.PK, item.Key.SK, err)
		}
		c.Version = item.Version
		all[c.Person] = c
	}
	return all, nil
}

// adult is the age from which a person signs alone (Civil Code art. 17).
const adult = 18

// minor reports whether p is known to be under age; the age of somebody without
// an identity card is for a person to judge.
func (p Person) minor(on civil.Day) bool {
	n, ok := p.Paper.IDNumber()
	return ok && n.Under(adult, on)
}

// guardian is the role of whoever may sign for a minor here: the applicant from
// the household, else the subject, else the first adult of the household.
func (p Particulars) guardian(relation Relation, of string, on civil.Day) (string, bool) {
	var candidates []string
	if p.Applicant != nil && !relation.Agent() {
		candidates = append(candidates, RoleApplicant)
	}
	for _, role := range append(candidates, p.Verified()...) {
		if who, _ := p.Person(role); role != of && !who.minor(on) {
			return role, true
		}
	}
	return "", false
}

// Consent is what comes of g, given through account on the day on, for this
// application: g.Role must exist in p. ok is false when g is for a minor and
// nobody here may sign for one.
func (a Application) Consent(blind *seal.Blind, p Particulars, g Agreement, account string, at time.Time, on civil.Day) (c Consent, ok bool) {
	c = Consent{Person: a.Ref(blind, p, g.Role), Document: g.Document, Text: PaperText, Signer: Family, Account: account, At: at}
	if w := Authorisation(); g.Document == w.SHA256 {
		c.Text = w.Version
	}
	asks := RoleSubject
	if p.Applicant != nil {
		asks = RoleApplicant
	}
	who, _ := p.Person(g.Role)
	switch {
	case who.minor(on):
		role, ok := p.guardian(a.Relation, g.Role, on)
		if !ok {
			return c, false
		}
		c.Signer, c.Guardian = Guardian, a.Ref(blind, p, role)
	case c.Person == a.Ref(blind, p, asks):
		c.Signer = Own
	}
	return c, true
}
