package wxpay

import (
	"context"
	"crypto/sha1" //nolint:gosec // WeChat Pay prescribes SHA-1 for the digests of its files; the answer that names it is signed with RSA-SHA256
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/outside"
)

// FlowPath is where a day's 资金账单 is asked for.
const FlowPath = "/v3/bill/fundflowbill"

// Limits of a day's statement.
const (
	FlowLimit    = 8 << 20 // bytes, packed and unpacked
	FlowDeadline = 20 * time.Second
	FlowWindow   = 90 * 24 * time.Hour // statements are to be had for three months
)

// Our own codes for a statement that is not there or not believed.
const (
	CodeNotReady  = "statement-not-ready"
	CodeDigest    = "statement-digest"
	CodeElsewhere = "statement-elsewhere" // it is to be fetched from somebody else's host
)

// Flow is a day's statement, or why there is none. Raw is nil unless WeChat Pay
// signed its digest and the bytes have it.
type Flow struct {
	Raw  []byte
	Code string
}

type ticket struct{ kind, digest, address string }

// parseTicket reads the answer to a request for a statement. What it does not know
// it leaves alone, as ParseBill does.
func parseTicket(raw []byte) (t ticket, err error) {
	o, err := outside.Object(raw)
	if err != nil {
		return t, errForm
	}
	for key, field := range map[string]*string{"hash_type": &t.kind, "hash_value": &t.digest, "download_url": &t.address} {
		if outside.Take(o, key, field) != nil {
			return ticket{}, errForm
		}
	}
	sum, err := hex.DecodeString(t.digest)
	if err != nil || t.kind != "SHA1" || len(sum) != sha1.Size {
		return ticket{}, errForm
	}
	return t, nil
}

// FundFlow gets the statement of the account that transfers leave, for one day: to
// be had from 10:00 on the day after, for three months. The answer with the digest
// is signed; the file itself is not, and is believed by its digest alone.
func (c *Client) FundFlow(ctx context.Context, day civil.Day) Flow {
	target := FlowPath + "?" + url.Values{"bill_date": {day.String()}, "account_type": {"OPERATION"}, "tar_type": {"GZIP"}}.Encode()
	answer, code := c.get(ctx, c.caller, target)
	switch {
	case code != "":
		return Flow{Code: code}
	case answer.Status/100 != 2:
		if e := errorCode(answer.Body); e == "NO_STATEMENT_EXIST" || e == "STATEMENT_CREATING" {
			return Flow{Code: CodeNotReady}
		}
		return Flow{Code: CodeStatus}
	case Verify(c.config.Platform, answer.Header, c.config.Now(), answer.Body) != nil:
		return Flow{Code: CodeUnverified}
	}
	t, err := parseTicket(answer.Body)
	if err != nil {
		return Flow{Code: CodeMalformed}
	}
	tail, ours := strings.CutPrefix(t.address, c.config.BaseURL)
	if !ours || !strings.HasPrefix(tail, "/v3/billdownload/") {
		return Flow{Code: CodeElsewhere} // we go nowhere but to the provider
	}
	answer, code = c.get(ctx, outside.Caller{HTTP: c.config.HTTP, Deadline: FlowDeadline, Limit: FlowLimit}, tail)
	if code != "" {
		return Flow{Code: code}
	}
	if answer.Status != http.StatusOK {
		return Flow{Code: CodeStatus}
	}
	// The digest is of the file, not of how it is packed.
	raw, err := outside.Unpack(answer.Body, FlowLimit)
	if err != nil {
		raw = answer.Body
	}
	if sum := sha1.Sum(raw); hex.EncodeToString(sum[:]) != strings.ToLower(t.digest) { //nolint:gosec // as above
		return Flow{Code: CodeDigest}
	}
	return Flow{Raw: raw}
}

// get makes one signed call; code says why there is no answer.
func (c *Client) get(ctx context.Context, caller outside.Caller, target string) (answer outside.Answer, code string) {
	nonce, err := outside.Nonce(c.config.Random)
	if err != nil {
		return answer, string(outside.Unsendable)
	}
	authorization, err := Authorization(c.config.Key, c.config.Random, c.config.MchID, c.config.Serial, http.MethodGet, target, nonce, c.config.Now(), nil)
	if err != nil {
		return answer, string(outside.Unsendable)
	}
	header := http.Header{"Authorization": {authorization}, "Accept": {"application/json"}, "User-Agent": {"doudi"}}
	header.Set(HeaderSerial, c.config.Seal)
	answer, err = caller.Do(ctx, http.MethodGet, c.config.BaseURL+target, header, nil)
	if err != nil {
		return answer, string(outside.ClassOf(err))
	}
	return answer, ""
}
