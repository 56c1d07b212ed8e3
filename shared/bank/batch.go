package bank

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// BatchPath is where files of many payments live below the base URL.
const BatchPath = "/files"

const (
	// BatchDeadline bounds a call that carries a whole file.
	BatchDeadline = 20 * time.Second
	// BatchLimit is the most that is read of a return file, in bytes.
	BatchLimit = 24 << 20
)

// FileStatus is what we know of a file after a call.
type FileStatus string

// The statuses of a file.
const (
	// FileAccepted: the bank has the file and works on it, or has; Edition says
	// which return file can be fetched, 0 for none yet.
	FileAccepted FileStatus = "accepted"
	// FileRejected: the bank will pay nothing of the file. Only a verified answer
	// to QueryFile says so.
	FileRejected FileStatus = "rejected"
	// FileNotFound: at this moment the bank has no file under the id. No proof of
	// anything: send the same bytes again.
	FileNotFound FileStatus = "not_found"
	// FileBusy: not taken for now; the same bytes later.
	FileBusy FileStatus = "busy"
	// FileRefused: our keys, agreement or message are wrong, or the bank holds other
	// bytes under the id (see Meaning of the code).
	FileRefused FileStatus = "refused"
	// FileUnknown: whatever else. The file may have been taken: ask.
	FileUnknown FileStatus = "unknown"
)

// FileStatuses lists every status, for tests that prove tables total.
func FileStatuses() []FileStatus {
	return []FileStatus{FileAccepted, FileRejected, FileNotFound, FileBusy, FileRefused, FileUnknown}
}

// FileResult is the outcome of a call about a file. There is no error beside it.
type FileResult struct {
	Status FileStatus
	File   string // the one that was asked about
	// Digest, Lines and TotalFen are what the bank says it holds under the id; they
	// must be compared with what was sent. Zero when it made no such statement.
	Digest   string // SHA-256 of the bytes, hex
	Lines    int
	TotalFen money.Fen
	// Edition is the newest return file that can be fetched, and ReturnDigest the
	// SHA-256 of its bytes; 0 and "" for none.
	Edition      int
	ReturnDigest string
	BankTime     time.Time
	Code         string
	Evidence     string
}

// FileStatement is what the bank says about one file: the body of every answer
// but a return file itself.
type FileStatement struct {
	Agreement    string     `json:"agreement"`
	File         string     `json:"file"`
	Status       FileStatus `json:"status"`
	Digest       string     `json:"digest,omitempty"`
	Lines        int        `json:"lines,omitempty"`
	TotalFen     money.Fen  `json:"total_fen,omitempty"`
	Edition      int        `json:"edition,omitempty"`
	ReturnDigest string     `json:"return_digest,omitempty"`
	BankTime     string     `json:"bank_time"`
	Code         string     `json:"code,omitempty"`
}

var errFileState = errors.New("bank: not a statement about a file")

// ParseFileStatement reads a statement strictly. It does not verify; errors never
// quote the input.
func ParseFileStatement(raw []byte) (FileStatement, time.Time, error) {
	o, err := outside.Object(raw)
	if err != nil {
		return FileStatement{}, time.Time{}, errFileState
	}
	var s FileStatement
	for key, field := range map[string]any{"agreement": &s.Agreement, "file": &s.File, "status": &s.Status, "digest": &s.Digest, "lines": &s.Lines,
		"total_fen": &s.TotalFen, "edition": &s.Edition, "return_digest": &s.ReturnDigest, "bank_time": &s.BankTime, "code": &s.Code} {
		if outside.Take(o, key, field) != nil {
			return FileStatement{}, time.Time{}, errFileState
		}
	}
	at, err := time.Parse(time.RFC3339, s.BankTime)
	if len(o) > 0 || err != nil || !referenceForm.MatchString(s.File) || s.Code != "" && !codeForm.MatchString(s.Code) {
		return FileStatement{}, time.Time{}, errFileState
	}
	holds := hexForm.MatchString(s.Digest) && s.Lines > 0 && s.TotalFen.Payable()
	back := s.Edition == 0 && s.ReturnDigest == "" || s.Edition > 0 && hexForm.MatchString(s.ReturnDigest)
	nothing := s.Digest == "" && s.Lines == 0 && s.TotalFen == 0 && s.Edition == 0 && s.ReturnDigest == ""
	ok := false
	switch s.Status {
	case FileAccepted:
		ok = holds && back
	case FileRejected: // a rejection without a reason cannot be acted on and is not believed
		ok = holds && s.Edition == 0 && s.ReturnDigest == "" && s.Code != ""
	case FileNotFound, FileBusy, FileRefused:
		ok = nothing
	}
	if !ok {
		return FileStatement{}, time.Time{}, errFileState
	}
	return s, at, nil
}

// SendFile gives the bank a file: the stored bytes, unchanged, under its permanent
// id. It never answers FileRejected or FileNotFound: what the bank says at once
// ends nothing, and QueryFile finds out.
func (c *Client) SendFile(ctx context.Context, file string, raw []byte) FileResult {
	r := c.askFile(ctx, http.MethodPost, file, raw)
	if r.Status == FileRejected || r.Status == FileNotFound {
		r.Status = FileUnknown
	}
	return r
}

// QueryFile asks what became of a file. Only its answers end anything.
func (c *Client) QueryFile(ctx context.Context, file string) FileResult {
	return c.askFile(ctx, http.MethodGet, file, nil)
}

func (c *Client) askFile(ctx context.Context, method, file string, raw []byte) FileResult {
	unknown := FileResult{Status: FileUnknown, File: file}
	if !referenceForm.MatchString(file) {
		unknown.Code = string(outside.Unsendable)
		return unknown
	}
	var kind string
	if raw != nil {
		kind = "application/octet-stream"
	}
	answer, code := c.call(ctx, c.filing(), method, BatchPath+"/"+file, kind, raw)
	if answer.Header != nil {
		unknown.Evidence = answer.Evidence()
	}
	if code != "" {
		unknown.Code = code
		return unknown
	}
	s, at, err := ParseFileStatement(answer.Body)
	if err != nil {
		unknown.Code = CodeMalformed
		return unknown
	}
	if s.File != file || s.Agreement != c.config.Agreement {
		unknown.Code = CodeOther
		return unknown
	}
	r := unknown
	r.Digest, r.Lines, r.TotalFen, r.Edition, r.ReturnDigest, r.BankTime, r.Code = s.Digest, s.Lines, s.TotalFen, s.Edition, s.ReturnDigest, at, s.Code
	status := answer.Status
	fine := status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted
	switch {
	case fine && (s.Status == FileAccepted || s.Status == FileRejected || s.Status == FileBusy),
		status == http.StatusTooManyRequests && s.Status == FileBusy,
		status == http.StatusNotFound && s.Status == FileNotFound,
		status >= 400 && status < 500 && s.Status == FileRefused:
		r.Status = s.Status
	case s.Code == "":
		r.Code = CodeStatus
	}
	return r
}

// FetchReturn is the bytes of one return file; ok is false when no answer can be
// believed. What is in them is for whoever knows the layout.
func (c *Client) FetchReturn(ctx context.Context, file string, edition int) (raw []byte, ok bool) {
	if !referenceForm.MatchString(file) || edition < 1 {
		return nil, false
	}
	answer, code := c.call(ctx, c.filing(), http.MethodGet, BatchPath+"/"+file+"/returns/"+strconv.Itoa(edition), "", nil)
	if code != "" || answer.Status != http.StatusOK {
		return nil, false
	}
	return answer.Body, true
}

// filing is the caller of calls that carry a whole file.
func (c *Client) filing() outside.Caller {
	caller := c.caller
	caller.Deadline, caller.Limit = max(caller.Deadline, BatchDeadline), max(caller.Limit, BatchLimit)
	return caller
}

// Differs reports whether a code says that the bank holds other bytes under our id.
func (r FileResult) Differs() bool { return Meaning(r.Code) == Freeze }

// MarshalFile is the wire form, for the bank's side.
func MarshalFile(s FileStatement, at time.Time) ([]byte, error) {
	s.BankTime = at.Format(time.RFC3339)
	return json.Marshal(s)
}

// Agreement is the number under which the client speaks for us.
func (c *Client) Agreement() string { return c.config.Agreement }
