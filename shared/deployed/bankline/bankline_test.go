package bankline

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/doudi-aid/doudi/shared/bank"
)

func TestConfigOfASecret(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	good := secret{Agreement: "a", Key: "doudi-1", Seed: seed, BankKeys: map[string][]byte{"2026-1": public, "2026-2": public}, PayeeKeyID: "p", PayeeKey: seed}
	c, err := good.config()
	if err != nil {
		t.Fatal(err)
	}
	if c.Signer.KeyID() != "ed25519:doudi-1" || len(c.BankKeys) != 2 {
		t.Errorf("our key is %s, the bank has %d", c.Signer.KeyID(), len(c.BankKeys))
	}
	message := []byte("pay")
	signature, err := c.Signer.Sign(t.Context(), message)
	if err != nil || !c.BankKeys[bank.Ed25519+":2026-1"].Verify(message, signature) {
		t.Errorf("what our key signs does not verify: %v", err)
	}
	for name, change := range map[string]func(*secret){
		"no_key_of_ours":      func(s *secret) { s.Seed = nil },
		"half_a_key":          func(s *secret) { s.Seed = seed[:16] },
		"no_name_of_our_key":  func(s *secret) { s.Key = "" },
		"no_key_of_the_bank":  func(s *secret) { s.BankKeys = nil },
		"half_a_key_of_it":    func(s *secret) { s.BankKeys = map[string][]byte{"x": seed[:16]} },
		"private_key_instead": func(s *secret) { s.BankKeys = map[string][]byte{"x": ed25519.NewKeyFromSeed(seed)} },
	} {
		bad := good
		change(&bad)
		if _, err := bad.config(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
