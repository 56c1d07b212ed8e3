package world

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/bankfile"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// filing is one file that the bank took, or rejected whole. What became of its
// lines stands in the book, line by line, so that any return file is a question
// of the clock and survives any restart.
type filing struct {
	File       string     `json:"file"`
	Digest     string     `json:"digest"` // of the bytes
	TotalFen   money.Fen  `json:"total_fen"`
	AcceptedAt time.Time  `json:"accepted_at"`
	Rejected   string     `json:"rejected,omitempty"` // code
	Lines      []transfer `json:"lines,omitempty"`    // by number
}

// keepFiling remembers a file and enters its lines into the book; w.mu is held or
// the world is starting.
func (w *World) keepFiling(f filing) {
	w.filings[f.File] = &f
	if f.Rejected != "" {
		return
	}
	for i := range f.Lines {
		w.enter(&f.Lines[i])
	}
}

// editions are the moments at which a return file came to be: when every line had
// been dealt with for the first time, and whenever one changed after that.
func (f *filing) editions(now time.Time) []time.Time {
	var first, all []time.Time
	for _, t := range f.Lines {
		at := t.PaidAt
		if at.IsZero() {
			at = t.FailedAt
		}
		first = append(first, at)
		if !t.ReturnedAt.IsZero() {
			all = append(all, t.ReturnedAt)
		}
	}
	// What is slow does not keep the rest from being told.
	all = append(all, first...)
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	return slices.DeleteFunc(all, func(t time.Time) bool { return now.Before(t) })
}

// back is the return file of one edition, as a lie has it.
func (w *World) back(f *filing, edition int, at time.Time, lie string) ([]byte, error) {
	var verdicts []bankfile.Verdict
	for i := range f.Lines {
		t := &f.Lines[i]
		v := bankfile.Verdict{Line: bankfile.Line{Seq: i + 1, Reference: t.Reference, Name: civil.StoredName(t.Name), Account: civil.StoredAccount(t.Account),
			AmountFen: t.AmountFen}, Status: bankfile.Processing}
		switch s, since := t.state(at); s {
		case bank.Paid:
			v.Status, v.At, v.BankReference = bankfile.Paid, since, "B"+strings.ToUpper(t.Reference[:12])
		case bank.Failed:
			v.Status, v.At, v.Code = bankfile.Failed, since, t.Code
		case bank.Returned:
			v.Status, v.At, v.Code, v.BankReference = bankfile.Returned, since, t.Code, "B"+strings.ToUpper(t.Reference[:12])
		}
		if v.Code != "" && !slices.Contains(bankfile.Codes(), v.Code) {
			v.Foreign = "9999" // a reason that the layout does not name
		}
		verdicts = append(verdicts, v)
	}
	switch lie {
	case "duplicate_line":
		verdicts = append(verdicts, verdicts[0])
	case "strange_line":
		other := verdicts[0]
		other.Seq, other.Reference = len(verdicts)+1, "0000other0000"
		verdicts = append(verdicts, other)
	case "line_amount":
		verdicts[0].AmountFen++
	case "line_payee":
		verdicts[0].Account = civil.StoredAccount("6299990000000000000")
	case "unknown_code":
		verdicts[0].Status, verdicts[0].Foreign = bankfile.Failed, "9999"
	case "partial":
		verdicts = verdicts[:(len(verdicts)+1)/2]
	case "other_file":
		f = &filing{File: "0000other0000"}
	}
	raw, err := w.layout.EncodeReturn(bankfile.Head{File: f.File, Agreement: w.options.Keys.Agreement, Edition: edition, Time: at}, verdicts)
	if err != nil {
		return nil, err
	}
	switch lie {
	case "wrong_totals":
		raw = bytes.Replace(raw, []byte("|"+strconv.Itoa(len(verdicts))+"|"), []byte("|"+strconv.Itoa(len(verdicts)+1)+"|"), 1)
	case "bad_digest":
		raw[len(raw)-3] ^= 1
	case "cut_short":
		raw = raw[:len(raw)/2]
	}
	return raw, nil
}

func (w *World) fileReply(r *http.Request, status int, s bank.FileStatement) reply {
	s.Agreement = w.options.Keys.Agreement
	body, err := bank.MarshalFile(s, w.now())
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return w.signed(r, status, body)
}

func (w *World) signed(r *http.Request, status int, body []byte) reply {
	nonce := r.Header.Get(bank.HeaderNonce)
	return reply{status: status, body: body, sign: func(how signing, status int, body []byte) http.Header {
		return w.stamp(how, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), nonce, body)
	}}
}

func (w *World) fileRefusal(r *http.Request, status int, s bank.FileStatus, code, file string) reply {
	if !referenceForm.MatchString(file) {
		file = "0"
	}
	return w.fileReply(r, status, bank.FileStatement{File: file, Status: s, Code: code})
}

// fileCall reads and admits a call about a file, and asks the scenario about it.
func (w *World) fileCall(rw http.ResponseWriter, r *http.Request, op string, do func(line Rule, raw []byte) reply) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, bankfile.MaxBytes))
	if err != nil {
		http.Error(rw, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	file := r.PathValue("file")
	keys := map[string]bank.Verifier{bank.Ed25519 + ":" + clientKeyName: verifier(w.options.Keys.BankClient)}
	if bank.Verify(keys, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, w.now(), raw) != nil || w.spent("bank "+r.Header.Get(bank.HeaderNonce)) {
		w.respond(rw, r, Rule{}, func() reply {
			return w.fileRefusal(r, http.StatusUnauthorized, bank.FileRefused, "BAD_SIGNATURE", file)
		})
		return
	}
	line, plan := w.match(callOf{service: "bank", op: op, reference: file})
	if plan.Effect != "" {
		line.Code = plan.Code // of a file that is rejected whole
	}
	w.respond(rw, r, line, func() reply { return do(line, raw) })
}

func (w *World) fileSend(rw http.ResponseWriter, r *http.Request) {
	w.fileCall(rw, r, "file_send", func(line Rule, raw []byte) reply {
		if line.Effect == "code" {
			status, s := http.StatusOK, bank.FileBusy
			if a := bank.Meaning(line.Code); a == bank.Stop || a == bank.Freeze {
				status, s = http.StatusForbidden, bank.FileRefused
			}
			return w.fileRefusal(r, status, s, line.Code, r.PathValue("file"))
		}
		return w.takeFile(r, r.PathValue("file"), raw, line.Code)
	})
}

// takeFile enters a file, once, and answers only when it is on disk.
func (w *World) takeFile(r *http.Request, file string, raw []byte, reject string) reply {
	sum := sha256.Sum256(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.filings[file]; f != nil {
		if f.Digest != hexOf(sum[:]) {
			return w.fileRefusal(r, http.StatusConflict, bank.FileRefused, "DUPLICATE_DIFFERENT", file)
		}
		return w.fileState(r, f)
	}
	head, lines, err := w.layout.Parse(raw)
	if err != nil || head.File != file {
		return w.fileRefusal(r, http.StatusBadRequest, bank.FileRefused, "BAD_REQUEST", file)
	}
	if head.Agreement != w.options.Keys.Agreement {
		return w.fileRefusal(r, http.StatusForbidden, bank.FileRefused, "NO_AGREEMENT", file)
	}
	now := w.now()
	f := filing{File: file, Digest: hexOf(sum[:]), AcceptedAt: now, Rejected: reject}
	for i, x := range lines {
		t := transfer{Reference: x.Reference, Digest: f.Digest, AmountFen: x.AmountFen, Name: x.Name.Reveal(), Account: x.Account.Reveal(), Purpose: x.Purpose,
			AcceptedAt: now, File: file}
		if w.book[x.Reference] != nil {
			f.Rejected = cmp.Or(f.Rejected, "DUPLICATE_REFERENCE")
		}
		_, plan := w.script.match(callOf{"bank", "file_line", w.byAccount[t.Account], t.Reference, i + 1})
		w.fate(&t, plan)
		if f.TotalFen, err = f.TotalFen.Add(x.AmountFen); err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		f.Lines = append(f.Lines, t)
	}
	if err := w.journal.append(record{Filing: &f}); err != nil {
		w.options.Log.Error("world: the book cannot be written", "error", err)
		return reply{status: http.StatusInternalServerError}
	}
	w.keepFiling(f)
	return w.fileState(r, w.filings[file])
}

// fileState is what the bank says of a file that it has; w.mu is held.
func (w *World) fileState(r *http.Request, f *filing) reply {
	s := bank.FileStatement{File: f.File, Status: bank.FileAccepted, Digest: f.Digest, Lines: len(f.Lines), TotalFen: f.TotalFen}
	if f.Rejected != "" {
		s.Status, s.Code = bank.FileRejected, f.Rejected
		return w.fileReply(r, http.StatusOK, s)
	}
	if all := f.editions(w.now()); len(all) > 0 {
		s.Edition = len(all)
		raw, err := w.back(f, s.Edition, all[s.Edition-1], w.returnLie(f.File))
		if err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		sum := sha256.Sum256(raw)
		s.ReturnDigest = hexOf(sum[:])
	}
	return w.fileReply(r, http.StatusOK, s)
}

// returnLie is the lie that every return file of a file tells: asking about the
// file and fetching its return must agree on the bytes.
func (w *World) returnLie(file string) string {
	for _, rule := range w.script.Rules {
		if rule.Service == "bank" && rule.Op == "file_return" && rule.Effect == "lie" && (rule.Reference == "" || rule.Reference == file) &&
			slices.Contains(returnLies, rule.Lie) {
			return rule.Lie
		}
	}
	return ""
}

func (w *World) fileQuery(rw http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	w.fileCall(rw, r, "file_query", func(line Rule, _ []byte) reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		f := w.filings[file]
		if f == nil {
			return w.fileRefusal(r, http.StatusNotFound, bank.FileNotFound, "", file)
		}
		if line.Lie == "wrong_amount" {
			other := *f
			other.TotalFen++
			f = &other
		}
		return w.fileState(r, f)
	})
}

func (w *World) fileReturn(rw http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	w.fileCall(rw, r, "file_return", func(_ Rule, _ []byte) reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		f, edition := w.filings[file], 0
		if n, err := strconv.Atoi(r.PathValue("edition")); err == nil {
			edition = n
		}
		if f == nil || f.Rejected != "" || edition < 1 || edition > len(f.editions(w.now())) {
			return w.fileRefusal(r, http.StatusNotFound, bank.FileNotFound, "", file)
		}
		raw, err := w.back(f, edition, f.editions(w.now())[edition-1], w.returnLie(file))
		if err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		return w.signed(r, http.StatusOK, raw)
	})
}
