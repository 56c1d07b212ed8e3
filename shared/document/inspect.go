package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/jpeg"
	"image/png"
)

// The media types read here. Anything else, above all what a browser would run
// (HTML, SVG) or unpack (ZIP, PDF), is refused by its first bytes, whatever its
// name says.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
)

// Limits of one picture.
const (
	MaxBytes  = 3 << 20
	MaxSide   = 20_000     // pixels
	MaxPixels = 60_000_000 // a phone of today takes 50 million
)

// Picture is a document that was looked at and found harmless.
type Picture struct {
	Media         string
	Received      string // SHA-256 of what was sent, in hex: what the sender can prove
	Clean         []byte // what is kept and shown: no place, no device, no trailing bytes
	Stored        string // SHA-256 of Clean
	Width, Height int    // pixels
}

// Inspect looks at content without decoding a pixel, so that no picture can be
// a bomb, and takes out of it whatever is not picture: EXIF with its GPS
// position, comments, and anything behind the end. sha is the digest the sender
// claims, in hex.
func Inspect(content []byte, media, sha string) (Picture, error) {
	if len(content) > MaxBytes {
		return Picture{}, ErrTooLarge
	}
	got := digest(content)
	if got != sha {
		return Picture{}, ErrDigest
	}
	var config func(*bytes.Reader) (image.Config, error)
	var clean func([]byte) ([]byte, bool)
	switch {
	case media == JPEG && bytes.HasPrefix(content, []byte("\xff\xd8\xff")):
		config, clean = func(r *bytes.Reader) (image.Config, error) { return jpeg.DecodeConfig(r) }, cleanJPEG
	case media == PNG && bytes.HasPrefix(content, []byte(pngMagic)):
		config, clean = func(r *bytes.Reader) (image.Config, error) { return png.DecodeConfig(r) }, cleanPNG
	default:
		return Picture{}, ErrType
	}
	c, err := config(bytes.NewReader(content))
	if err != nil {
		return Picture{}, ErrDamaged
	}
	if c.Width > MaxSide || c.Height > MaxSide || c.Width*c.Height > MaxPixels {
		return Picture{}, ErrPixels
	}
	kept, ok := clean(content)
	if !ok || c.Width < 1 || c.Height < 1 {
		return Picture{}, ErrDamaged
	}
	return Picture{Media: media, Received: got, Clean: kept, Stored: digest(kept), Width: c.Width, Height: c.Height}, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// JPEG markers (ITU-T T.81 table B.1).
const (
	markSOI  = 0xd8 // start of image
	markEOI  = 0xd9 // end of image
	markSOS  = 0xda // start of scan: entropy-coded data follows
	markAPP0 = 0xe0 // JFIF, kept: it carries the density only
	markAPPE = 0xee // Adobe, kept: without it colours come out wrong
	markCOM  = 0xfe // comment
)

// cleanJPEG copies a JPEG without its application segments (EXIF, XMP, maker
// notes) and comments, up to its end marker.
func cleanJPEG(in []byte) ([]byte, bool) {
	out := append(make([]byte, 0, len(in)), in[:2]...)
	for i := 2; ; {
		for i+1 < len(in) && in[i] == 0xff && in[i+1] == 0xff { // fill bytes
			i++
		}
		if i+2 > len(in) || in[i] != 0xff {
			return nil, false
		}
		mark := in[i+1]
		switch {
		case mark == markEOI:
			return append(out, 0xff, markEOI), true
		case mark == markSOI || mark == 0x00 || mark == 0x01 || (mark >= 0xd0 && mark <= 0xd7):
			return nil, false // these stand alone, and none belongs here
		}
		if i+4 > len(in) {
			return nil, false
		}
		end := i + 2 + int(binary.BigEndian.Uint16(in[i+2:]))
		if end > len(in) || end < i+4 {
			return nil, false
		}
		private := mark == markCOM || (mark > markAPP0 && mark <= 0xef && mark != markAPPE)
		if !private {
			out = append(out, in[i:end]...)
		}
		i = end
		if mark == markSOS {
			from := i
			i = scanEnd(in, i)
			out = append(out, in[from:i]...)
		}
	}
}

// scanEnd is where the entropy-coded data that begins at i ends: at the next
// marker that is neither a stuffed zero nor a restart.
func scanEnd(in []byte, i int) int {
	for ; i+1 < len(in); i++ {
		if in[i] == 0xff && in[i+1] != 0x00 && (in[i+1] < 0xd0 || in[i+1] > 0xd7) && in[i+1] != 0xff {
			return i
		}
	}
	return len(in)
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// cleanPNG copies the chunks of a PNG that are needed to show it, up to IEND.
func cleanPNG(in []byte) ([]byte, bool) {
	out := append(make([]byte, 0, len(in)), pngMagic...)
	for i := len(pngMagic); ; {
		if i+12 > len(in) {
			return nil, false
		}
		n := binary.BigEndian.Uint32(in[i:])
		if uint64(n) > uint64(len(in)-i-12) {
			return nil, false
		}
		end := i + 12 + int(n)
		switch string(in[i+4 : i+8]) {
		case "IHDR", "PLTE", "IDAT", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT", "pHYs":
			out = append(out, in[i:end]...)
		case "IEND":
			return append(out, in[i:end]...), true
		}
		i = end
	}
}
