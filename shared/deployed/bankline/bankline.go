// Package bankline is the deployed line to the agent bank: where it is, from
// the settings, and both sides' keys, from the secret. Only functions that move
// money or find out what became of it import it.
package bankline

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
)

// secret is what the operator puts into the bank's secret. Bytes are base64.
type secret struct {
	Agreement  string            `json:"agreement"`
	Key        string            `json:"key"`       // name of our key at the bank
	Seed       []byte            `json:"seed"`      // of our ed25519 key
	BankKeys   map[string][]byte `json:"bank_keys"` // the bank's ed25519 keys, by name; two while it changes them
	PayeeKeyID string            `json:"payee_key_id"`
	PayeeKey   []byte            `json:"payee_key"`
}

// Line is where the bank is.
type Line struct {
	w      *deployed.World
	base   string
	secret secrets.Secret
}

// In is the line that the settings name.
func In(w *deployed.World) Line {
	return Line{w, w.Settings.Address("DOUDI_BANK_URL"), secrets.Named(w, "DOUDI_BANK_SECRET")}
}

// Open is the client of the bank.
func (l Line) Open(ctx context.Context, r *secrets.Reading) (*bank.Client, error) {
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return nil, err
	}
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	c.BaseURL, c.HTTP, c.Now, c.Random = l.base, l.w.HTTP, l.w.Now, rand.Reader
	return bank.New(c)
}

func (s secret) config() (bank.Config, error) {
	if len(s.Seed) != ed25519.SeedSize || s.Key == "" || len(s.BankKeys) == 0 {
		return bank.Config{}, errors.New("bankline: the secret lacks our key or the bank's")
	}
	c := bank.Config{Agreement: s.Agreement, Signer: bank.NewEd25519Signer(s.Key, ed25519.NewKeyFromSeed(s.Seed)),
		BankKeys: map[string]bank.Verifier{}, PayeeKeyID: s.PayeeKeyID, PayeeKey: s.PayeeKey}
	for name, key := range s.BankKeys {
		if len(key) != ed25519.PublicKeySize {
			return bank.Config{}, errors.New("bankline: a key of the bank is not an ed25519 key")
		}
		c.BankKeys[bank.Ed25519+":"+name] = bank.NewEd25519Verifier(key)
	}
	return c, nil
}
