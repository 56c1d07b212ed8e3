package document_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func photo(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range 40 {
		m.Set(i, i%30, color.RGBA{uint8(i * 6), 80, 200, 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segment is one JPEG segment.
func segment(mark byte, body []byte) []byte {
	out := []byte{0xff, mark, 0, 0}
	binary.BigEndian.PutUint16(out[2:], uint16(len(body)+2))
	return append(out, body...)
}

func chunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

const secret = "GPS 31.77N 119.97E"

func TestX104PlaceAndDeviceAreTakenOut(t *testing.T) {
	t.Parallel()
	plain := photo(t)
	dirty := slices.Concat(plain[:2], segment(0xe1, []byte("Exif\x00\x00"+secret)), segment(0xed, []byte(secret)), segment(0xfe, []byte(secret)),
		[]byte{0xff}, plain[2:], []byte("<script>"+secret))
	p, err := document.Inspect(dirty, document.JPEG, sum(dirty))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(p.Clean, []byte("GPS")) || bytes.Contains(p.Clean, []byte("<script>")) || p.Received != sum(dirty) || p.Stored != sum(p.Clean) || p.Width != 40 || p.Height != 30 {
		t.Errorf("%d bytes kept of %d", len(p.Clean), len(dirty))
	}
	was, err := jpeg.Decode(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	is, err := jpeg.Decode(bytes.NewReader(p.Clean))
	if err != nil {
		t.Fatalf("the clean copy does not open: %v", err)
	}
	if was.At(7, 7) != is.At(7, 7) {
		t.Error("the picture changed")
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 4))); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	dirty = slices.Concat(raw[:33], chunk("tEXt", []byte("Comment\x00"+secret)), chunk("eXIf", []byte(secret)), raw[33:], []byte("PK\x03\x04"+secret))
	if p, err = document.Inspect(dirty, document.PNG, sum(dirty)); err != nil || !bytes.Equal(p.Clean, raw) {
		t.Errorf("PNG: %v, %d bytes of %d", err, len(p.Clean), len(raw))
	}
}

func TestX102X103WhatIsNoPhotoIsRefused(t *testing.T) {
	t.Parallel()
	plain := photo(t)
	wide := func(w, h uint32) []byte {
		head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 0, 0, 0, 0)), chunk("IEND", nil))
	}
	for name, c := range map[string]struct {
		body  []byte
		media string
		sha   string
		want  error
	}{
		"HTML":                       {[]byte("<html>"), document.JPEG, "", document.ErrType},
		"SVG by its own name":        {[]byte("<svg/>"), "image/svg+xml", "", document.ErrType},
		"ZIP":                        {[]byte("PK\x03\x04"), document.PNG, "", document.ErrType},
		"a JPEG called PNG":          {plain, document.PNG, "", document.ErrType},
		"another digest":             {plain, document.JPEG, sum([]byte("x")), document.ErrDigest},
		"200 MB of it":               {make([]byte, document.MaxBytes+1), document.JPEG, "", document.ErrTooLarge},
		"50,000 × 50,000 pixels":     {wide(50_000, 50_000), document.PNG, "", document.ErrPixels},
		"19,000 × 19,000 pixels":     {wide(19_000, 19_000), document.PNG, "", document.ErrPixels},
		"no pixels":                  {wide(0, 9), document.PNG, "", document.ErrDamaged},
		"a JPEG that ends early":     {plain[:len(plain)-2], document.JPEG, "", document.ErrDamaged},
		"a JPEG that is only a head": {plain[:20], document.JPEG, "", document.ErrDamaged},
		"a PNG without an end":       {wide(3, 3)[:40], document.PNG, "", document.ErrDamaged},
		"a segment past the end":     {slices.Concat(plain[:len(plain)-2], []byte{0xff, 0xe5, 0xff, 0xff, 1}), document.JPEG, "", document.ErrDamaged},
		"a start inside":             {slices.Concat(plain[:len(plain)-2], []byte{0xff, 0xd8, 0xff, 0xd9}), document.JPEG, "", document.ErrDamaged},
	} {
		if c.sha == "" {
			c.sha = sum(c.body)
		}
		if _, err := document.Inspect(c.body, c.media, c.sha); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzInspectKeepsOnlyWhatOpens(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, media := range []string{document.JPEG, document.PNG} {
			p, err := document.Inspect(body, media, sum(body))
			if err == nil && len(p.Clean) > len(body) {
				t.Error("cleaning added something")
			}
		}
	})
}

func TestTheDirectoryKeepsContentSealedForItsPlace(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/papers"
	d, err := document.OpenDirectory(path, seal.NewBox(keys, rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	content := []byte("a photo of " + secret)
	for range 2 { // the second finds it there
		if err := d.Put(t.Context(), "APP#a", "one", content); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Put(t.Context(), "APP#a", "two", []byte("another")); err != nil {
		t.Fatal(err)
	}
	got, err := d.Get(t.Context(), "APP#a", "one")
	if err != nil || !bytes.Equal(got, content) {
		t.Fatal(err)
	}
	if _, err := d.Get(t.Context(), "APP#b", "one"); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("another partition: %v", err)
	}
	files, err := filepath.Glob(path + "/*")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	var raw [2][]byte
	for i, f := range files {
		if raw[i], err = os.ReadFile(f); err != nil || bytes.Contains(raw[i], []byte("GPS")) {
			t.Errorf("%s is readable", f)
		}
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f, info.Mode())
		}
	}
	for i, f := range files { // X116: copied over one another
		if err := os.WriteFile(f, raw[1-i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Get(t.Context(), "APP#a", "one"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a file copied over another opens: %v", err)
	}
}

func TestKindsHaveLabels(t *testing.T) {
	t.Parallel()
	for _, k := range document.Kinds() {
		if k.Label() == "" || !k.Valid() {
			t.Errorf("%q", k)
		}
	}
	if document.Kind("url").Valid() {
		t.Error("an unknown kind is valid")
	}
}
