package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"

	"github.com/doudi-aid/doudi/shared/ident"
)

func TestAWornKeySealsNoMore(t *testing.T) {
	t.Parallel()
	f, err := OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	f.uses = MaxUses - 1
	if _, err := f.Current(t.Context()); err != nil {
		t.Errorf("the last use: %v", err)
	}
	if _, err := f.Current(t.Context()); !errors.Is(err, ErrWorn) {
		t.Errorf("one use too many: %v", err)
	}
	if err := f.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Current(t.Context()); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}

// SM4-GCM seals as published: RFC 8998, appendix A.1.
func TestSM4Vector(t *testing.T) {
	t.Parallel()
	of := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := NewKey("a", SM4GCM, of("0123456789abcdeffedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	plain := of("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")
	want := of("17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" +
		"83de3541e4c2b58177e065a9bf7b62ec")
	if got := key.aead.Seal(nil, of("00001234567800000000abcd"), plain, of("feedfacedeadbeeffeedfacedeadbeefabaddad2")); !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
}
