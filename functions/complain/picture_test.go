package complain_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/png"
)

// picture is the body of an upload.
func picture() m {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return m{"media_type": "image/png", "sha256": hex.EncodeToString(sum[:]), "content_base64": base64.StdEncoding.EncodeToString(b.Bytes())}
}
