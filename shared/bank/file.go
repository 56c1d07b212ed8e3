package bank

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/outside"
)

// The accounts whose statements the bank writes for us.
const (
	Payouts  = "payouts"  // the transfers under our agreement
	Treasury = "treasury" // the treasury's account that they are drawn on
)

// Limits of a day's statement.
const (
	FileLimit    = 8 << 20 // bytes, packed and unpacked
	FileDeadline = 20 * time.Second
)

// Our own codes for a file that is not there or not believed.
const (
	CodeNotReady = "statement-not-ready"
	CodeDigest   = "statement-digest"
	CodePacking  = "statement-packing"
)

// File is a day's statement, or why there is none. Raw is nil unless the bank
// signed its digest and the bytes have it.
type File struct {
	Raw    []byte
	Digest string // hex SHA-256 of Raw
	Issue  int    // counted by the bank: above 1 it was restated
	Code   string // why there is none
}

// TicketDocument is what the bank says of a day's statement, signed, before it is
// fetched: which bytes it is.
type TicketDocument struct {
	Agreement string `json:"agreement"`
	Account   string `json:"account"`
	Day       string `json:"day"`
	Ready     bool   `json:"ready"`
	Issue     int    `json:"issue,omitempty"`
	Bytes     int    `json:"bytes,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Packing   string `json:"packing,omitempty"` // "gzip", or "" for none
}

var hexForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ParseTicket reads a ticket strictly: no unknown or repeated key, and a digest
// whenever there is a file.
func ParseTicket(raw []byte) (TicketDocument, error) {
	var t TicketDocument
	o, err := outside.Object(raw)
	if err != nil {
		return t, errForm
	}
	for key, field := range map[string]any{"agreement": &t.Agreement, "account": &t.Account, "day": &t.Day, "ready": &t.Ready,
		"issue": &t.Issue, "bytes": &t.Bytes, "sha256": &t.SHA256, "packing": &t.Packing} {
		if outside.Take(o, key, field) != nil {
			return TicketDocument{}, errForm
		}
	}
	whole := t.Issue >= 1 && t.Bytes >= 1 && t.Bytes <= FileLimit && hexForm.MatchString(t.SHA256) && (t.Packing == "" || t.Packing == "gzip")
	empty := t.Issue == 0 && t.Bytes == 0 && t.SHA256 == "" && t.Packing == ""
	if len(o) > 0 || (t.Ready && !whole) || (!t.Ready && !empty) {
		return TicketDocument{}, errForm
	}
	return t, nil
}

// FilePath is where an account's statement of a day is, below the base URL.
func FilePath(account string, day civil.Day) string {
	return "/accounts/" + account + "/statements/" + day.String()
}

// Fetch gets an account's statement of a day: first what the bank says it is,
// signed, then the bytes. They are believed only when they are those it signed for.
func (c *Client) Fetch(ctx context.Context, account string, day civil.Day) File {
	answer, code := c.call(ctx, c.caller, http.MethodGet, FilePath(account, day), "", nil)
	if code != "" {
		return File{Code: code}
	}
	ticket, err := ParseTicket(answer.Body)
	switch {
	case answer.Status != http.StatusOK:
		return File{Code: CodeStatus}
	case err != nil:
		return File{Code: CodeMalformed}
	case ticket.Agreement != c.config.Agreement, ticket.Account != account, ticket.Day != day.String():
		return File{Code: CodeOther}
	case !ticket.Ready:
		return File{Code: CodeNotReady}
	}
	wide := outside.Caller{HTTP: c.config.HTTP, Deadline: FileDeadline, Limit: FileLimit}
	answer, code = c.call(ctx, wide, http.MethodGet, FilePath(account, day)+"/files/"+strconv.Itoa(ticket.Issue), "", nil)
	if code != "" {
		return File{Code: code}
	}
	if answer.Status != http.StatusOK {
		return File{Code: CodeStatus}
	}
	raw := answer.Body
	if ticket.Packing == "gzip" {
		if raw, err = outside.Unpack(raw, FileLimit); err != nil {
			return File{Code: CodePacking}
		}
	}
	if len(raw) != ticket.Bytes || outside.Evidence(raw) != ticket.SHA256 {
		return File{Code: CodeDigest}
	}
	return File{Raw: raw, Digest: ticket.SHA256, Issue: ticket.Issue}
}
