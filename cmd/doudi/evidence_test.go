package main

import (
	"bytes"
	"crypto/rand"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
)

// A card from a log of a million leaves is checked with the public key alone, and
// its code fits a picture.
func TestVerifyCard(t *testing.T) {
	keys, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	p := evidence.Proof{Index: 777_777, Leaf: evidence.NewLeaf(event.Event{PK: "APP#x", Noun: "payout", ID: "01", Version: 3, Kind: "paid", At: at,
		Actor: event.Actor{Kind: event.Provider, ID: "bank"}, Facts: event.Facts{"amount_fen": 300000, "paid_fen": 300000, "state": "paid", "reference": "5r0v2c8kq3n1m7x9z4w6t8y2ab"}}, make([]byte, 32), at).Encode()}
	// The path from that leaf to the root of a tree of 2^20 leaves, with whatever beside it.
	root := tlog.RecordHash(p.Leaf)
	for level := range 20 {
		var beside tlog.Hash
		if _, err := rand.Read(beside[:]); err != nil {
			t.Fatal(err)
		}
		p.Hashes = append(p.Hashes, beside)
		if p.Index>>level&1 == 1 {
			root = tlog.NodeHash(beside, root)
		} else {
			root = tlog.NodeHash(root, beside)
		}
	}
	signer, err := note.NewSigner(keys.Private)
	if err != nil {
		t.Fatal(err)
	}
	if p.Checkpoint, err = note.Sign(&note.Note{Text: evidence.Checkpoint{Origin: "doudi/320400", Size: 1 << 20, Root: root}.Text()}, signer); err != nil {
		t.Fatal(err)
	}
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	card, picture := filepath.Join(t.TempDir(), "card.txt"), filepath.Join(t.TempDir(), "card.png")
	if err := os.WriteFile(card, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"verify-card", "-key", keys.Public, "-draw", picture, card}, &out, &errs); code != 0 || !strings.Contains(out.String(), "¥3,000.00") || !strings.Contains(out.String(), "777777") {
		t.Fatalf("%d\n%s%s", code, out.String(), errs.String())
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m, err := png.Decode(f); err != nil || m.Bounds().Dx() > 177*4+8*4 {
		t.Errorf("%v", err)
	}
	other, err := evidence.NewKeys(rand.Reader, "doudi/320400")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"another_key": {"-key", other.Public, text},
		"damaged":     {"-key", keys.Public, text[:200] + "A" + text[201:]},
		"not_a_card":  {"-key", keys.Public, "DOUDI1:HELLO"},
		"no_key":      {text},
		"no_card":     {"-key", keys.Public},
	} {
		if code := run(t.Context(), append([]string{"verify-card"}, args...), &out, &errs); code == 0 {
			t.Errorf("%s: verified", name)
		}
	}
}
