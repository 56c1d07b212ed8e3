package outside

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// Unpack unpacks one gzip member of at most limit bytes. A small file that grows
// beyond the limit is not unpacked further, and nothing may follow the member.
func Unpack(packed []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, errors.New("outside: not gzip")
	}
	z.Multistream(false)
	raw, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil || int64(len(raw)) > limit || in.Len() > 0 {
		return nil, errors.New("outside: broken, endless or glued gzip")
	}
	return raw, nil
}
