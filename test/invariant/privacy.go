package invariant

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // looked for, never used
	"crypto/sha1" //nolint:gosec // looked for, never used
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Trace is one way in which a secret can show.
type Trace struct {
	Rule string // P01 in the clear, P03 as a hash without a key
	as   string
	form []byte
}

// Traces are the ways in which secrets (identity numbers, telephones, accounts,
// names) would show, in the clear or as hashes that a list of all such numbers
// undoes in seconds.
func Traces(secrets ...string) []Trace {
	var all []Trace
	for _, secret := range secrets {
		add := func(rule, as string, forms ...string) {
			for _, f := range forms {
				all = append(all, Trace{rule, as, []byte(f)})
			}
		}
		b := []byte(secret)
		add("P01", "in the clear", secret, hex.EncodeToString(b))
		if len(b) > 8 { // shorter ones are met by chance
			add("P01", "in base64", strings.TrimRight(base64.StdEncoding.EncodeToString(b), "=")[:len(b)])
		}
		m, s1, s2, s5 := md5.Sum(b), sha1.Sum(b), sha256.Sum256(b), sha512.Sum512(b)
		for _, sum := range [][]byte{m[:], s1[:], s2[:], s5[:]} {
			add("P03", "as a plain hash", hex.EncodeToString(sum), base64.StdEncoding.EncodeToString(sum), base64.RawURLEncoding.EncodeToString(sum), string(sum))
		}
	}
	return all
}

// Shows reports the first trace in what was written at a place; nil for none.
func Shows(traces []Trace, place string, written []byte) error {
	for _, t := range traces {
		if bytes.Contains(written, t.form) {
			return fmt.Errorf("%s: something personal stands %s in %s", t.Rule, t.as, place)
		}
	}
	return nil
}
