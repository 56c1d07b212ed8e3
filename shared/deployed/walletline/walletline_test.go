package walletline

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/wxpay"
)

// good is a whole secret, with keys made for it.
func good(t testing.TB) secret {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	return secret{MchID: "1900000109", Serial: "4015", Key: text("PRIVATE KEY", private), Platform: map[string]string{"PUB_KEY_ID_1": text("PUBLIC KEY", public)},
		Seal: "PUB_KEY_ID_1", APIv3Key: strings.Repeat("k", 32), MaxFen: 500_00, PayeeKeyID: "p1", PayeeKey: []byte(strings.Repeat("p", 32))}
}

// joined is what Join makes of a secret, but for the network.
func joined(s secret) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	c.BaseURL, c.NotifyURL, c.AppID, c.Now, c.Random = "https://api.mch.weixin.qq.com", "https://aid.example.cn/v1/callbacks/wxpay", "wx1", time.Now, rand.Reader
	_, err = wxpay.New(c)
	return err
}

func TestConfigOfASecret(t *testing.T) {
	t.Parallel()
	whole := good(t)
	if err := joined(whole); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*secret)
		says   string
	}{
		"no_key_of_ours":         {func(s *secret) { s.Key = "" }, "key is not"},
		"half_a_key":             {func(s *secret) { s.Key = s.Key[:len(s.Key)/2] }, "key is not"},
		"two_keys":               {func(s *secret) { s.Key += s.Key }, "key is not"},
		"their_key_as_ours":      {func(s *secret) { s.Key = s.Platform[s.Seal] }, "key is not"},
		"our_key_as_theirs":      {func(s *secret) { s.Platform = map[string]string{s.Seal: s.Key} }, "PUB_KEY_ID_1"},
		"a_key_in_place_of_name": {func(s *secret) { s.Platform = map[string]string{s.Key: s.Platform[s.Seal]} }, "a name that is none"},
		"no_key_of_theirs":       {func(s *secret) { s.Platform = nil }, "wxpay"},
	} {
		s := whole
		c.change(&s)
		if err := joined(s); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzSecret has an operator put anything into the secret: what is wrong is said, in
// words that quote none of the keys, and what is taken has keys that are whole.
func FuzzSecret(f *testing.F) {
	whole := good(f)
	raw, err := json.Marshal(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw), whole.Key, whole.Platform[whole.Seal])
	f.Add(string(raw), whole.Platform[whole.Seal], whole.Key)
	f.Add(`{"mch_id":"","platform":{"a":"b"},"apiv3_key":"short","payee_key":"cGFzdGVkIGJ5IG1pc3Rha2U="}`, "-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n", "")
	f.Add(strings.Replace(string(raw), `"max_fen":50000`, `"max_fen":-50000`, 1), "", "")
	f.Add(`{"platform":{"x y":"-----BEGIN"}}`, "", "")
	f.Fuzz(func(t *testing.T, text, key, public string) {
		var s secret
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		if key != "" {
			s.Key = key
		}
		if public != "" {
			s.Platform = map[string]string{s.Seal: public}
		}
		err := joined(s)
		if err == nil {
			c, err := s.config()
			private, is := c.Key.(*rsa.PrivateKey)
			if err != nil || !is || private.Validate() != nil || c.Platform[c.Seal] == nil || len(c.APIv3Key) != 32 || c.MaxFen < 0 {
				t.Errorf("taken as %s: %v", c.Serial, err)
			}
			return
		}
		for _, hidden := range []string{s.Key, s.APIv3Key, string(s.PayeeKey), public} {
			if len(hidden) > 12 && strings.Contains(err.Error(), hidden) {
				t.Errorf("it quotes a key: %v", err)
			}
		}
	})
}
