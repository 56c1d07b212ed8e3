package main

import (
	"archive/zip"
	"bytes"
	"testing"
)

func TestSameBinarySameArchive(t *testing.T) {
	var a, b bytes.Buffer
	if err := write(&a, []byte("program")); err != nil {
		t.Fatal(err)
	}
	if err := write(&b, []byte("program")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two archives of one binary differ: every deployment would publish a new version")
	}
	r, err := zip.NewReader(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode() != 0o755 {
		t.Errorf("Lambda runs one executable called bootstrap; the archive has %v %v", r.File[0].Name, r.File[0].Mode())
	}
}
