package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// caller speaks to the API as one person.
type caller struct {
	base, token string
	http        *http.Client
}

func (c caller) do(ctx context.Context, method, path, key string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (c caller) signIn(ctx context.Context, path, code, region string) (caller, error) {
	in := map[string]string{"code": code}
	if region != "" {
		in["region"] = region
	}
	var s struct {
		Token string `json:"token"`
	}
	err := c.do(ctx, http.MethodPost, path, "", in, &s)
	c.token = s.Token
	return c, err
}

// identity is a number of GB 11643 that nobody has: the nth of its kind, born
// in the 1900s, with a valid check character.
func identity(n int) string {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/1000%25000)
	s := fmt.Sprintf("320402%s%03d", born.Format("20060102"), n%1000)
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return s + string("10X98765432"[sum%11])
}

// card is the number of the nth person's bank card, with a valid Luhn digit.
func card(n int) string {
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

// application is the body of one emergency application by the nth person.
func application(n int, consent string) map[string]any {
	return map[string]any{
		"track": "emergency", "place": "320402005000", "cause": "fire", "relation": "self",
		"subject": map[string]any{"name": "测试甲", "paper": map[string]string{"kind": "id_card", "number": identity(n)}, "phone": "19900000000"},
		"address": "天宁街道", "story": "昨夜家中失火，被褥和存粮都烧了，身上没有现金。",
		"payee":    map[string]string{"account": card(n)},
		"consents": []map[string]any{{"person": "subject", "document_sha256": consent, "agreed": true}},
	}
}

func (c caller) consentText(ctx context.Context) (string, error) {
	var p struct {
		Authorisation struct {
			SHA256 string `json:"sha256"`
		} `json:"authorisation"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/programs", "", nil, &p)
	return p.Authorisation.SHA256, err
}
