// Package caller speaks to the API as the people who use it do, for benchmarks
// and loads: it signs in, and makes applications of people that do not exist.
// It knows no handler.
package caller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Caller speaks to the API as one person.
type Caller struct {
	Base, Token string
	HTTP        *http.Client
}

// Refused is an answer of the API that is not what was asked for.
type Refused struct {
	Method, Path string
	Status       int
	Body         []byte
}

// Error names the call and shows the whole answer.
func (e *Refused) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, e.Body)
}

// Do makes one call; key is the Idempotency-Key, in and out are JSON, each may
// be empty. An answer from 300 is *Refused.
func (c Caller) Do(ctx context.Context, method, path, key string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return &Refused{method, path, res.StatusCode, answer}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// Send makes one call with a body and headers of its own, and drops the answer.
func (c Caller) Send(ctx context.Context, method, path string, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = &Refused{method, path, res.StatusCode, answer}
	}
	return err
}

// SignIn is the caller with a session of its own. region may be empty.
func (c Caller) SignIn(ctx context.Context, path, code, region string) (Caller, error) {
	in := map[string]string{"code": code}
	if region != "" {
		in["region"] = region
	}
	var s struct {
		Token string `json:"token"`
	}
	err := c.Do(ctx, http.MethodPost, path, "", in, &s)
	c.Token = s.Token
	return c, err
}

// Identity is a number of GB 11643 that nobody has: the nth of its kind, born
// in the 1900s, with a valid check character.
func Identity(n int) string {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/1000%25000)
	s := fmt.Sprintf("320402%s%03d", born.Format("20060102"), n%1000)
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return s + string("10X98765432"[sum%11])
}

// Card is the number of the nth person's bank card, with a valid Luhn digit.
func Card(n int) string {
	s := fmt.Sprintf("629999%012d", n)
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return s + string(rune('0'+(10-sum%10)%10))
}

// Application is the body of one emergency application by the nth person.
func Application(n int, consent string) map[string]any {
	return map[string]any{
		"track": "emergency", "place": "320402005000", "cause": "fire", "relation": "self",
		"subject": map[string]any{"name": "测试甲", "paper": map[string]string{"kind": "id_card", "number": Identity(n)}, "phone": fmt.Sprintf("199%08d", n%100_000_000)},
		"address": "天宁街道", "story": "昨夜家中失火，被褥和存粮都烧了，身上没有现金。",
		"payee":    map[string]string{"account": Card(n)},
		"consents": []map[string]any{{"person": "subject", "document_sha256": consent, "agreed": true}},
	}
}

// ConsentText is the SHA-256 of the authorisation that applications agree to.
func (c Caller) ConsentText(ctx context.Context) (string, error) {
	var p struct {
		Authorisation struct {
			SHA256 string `json:"sha256"`
		} `json:"authorisation"`
	}
	err := c.Do(ctx, http.MethodGet, "/v1/programs", "", nil, &p)
	return p.Authorisation.SHA256, err
}
