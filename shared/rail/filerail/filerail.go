// Package filerail is the rail of files that pay many through the agent bank
// (社保卡、一卡通代发): the client shared/bank and the layouts of shared/bankfile,
// put into the words of shared/rail. It decides nothing.
package filerail

import (
	"context"
	"regexp"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/bankfile"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
)

// alarm: the bank refuses our keys or our agreement.
const alarm = "bank-line-refused"

var form = regexp.MustCompile(`^[0-9a-z]{1,32}$`)

// ErrLine: what is to be paid cannot stand in a file, whatever is tried.
var ErrLine = fault.New(fault.Invalid, "file-line", "收款人信息无法写入代发文件，请改由单笔转账发放。", "The payee cannot be written into a file; pay by a single transfer.")

// ErrReturn: a return file that cannot be believed.
var ErrReturn = fault.New(fault.Invalid, "return-file", "银行回盘文件有误，已整份封存，资金未动。", "The return file is wrong; it is kept whole, and nothing moved.")

type line struct {
	client    *bank.Client
	agreement string
	layout    *bankfile.Layout
}

// New is the rail over a client, for an agreement whose new files have that layout.
func New(c *bank.Client, layout string) (rail.Files, error) {
	l, err := bankfile.Shipped(layout)
	if err != nil {
		return nil, err
	}
	return line{c, c.Agreement(), l}, nil
}

func (l line) Facts() rail.Facts { return rail.Facts{Rail: award.BankBatch, Reference: form} }
func (l line) MaxLines() int     { return min(bankfile.MaxLines, batch.MaxLines) }
func (l line) Layout() string    { return l.layout.Name }

// Admit is always true: a file is one call.
func (l line) Admit(context.Context, rail.Call) (bool, error) { return true, nil }

func written(n int, o rail.Order) bankfile.Line {
	return bankfile.Line{Seq: n, Reference: o.Reference, Name: o.Payee.Name, Account: o.Payee.Account, AmountFen: o.AmountFen, Purpose: o.Purpose}
}

func (l line) Line(o rail.Order) (string, error) {
	if err := l.layout.CheckLine(written(1, o)); err != nil {
		return "", ErrLine.Because(err)
	}
	return l.payee(written(1, o)), nil
}

func (l line) payee(x bankfile.Line) string {
	return l.client.PayeeDigest(bank.Order{Reference: x.Reference, PayeeName: x.Name, PayeeAccount: x.Account})
}

func (l line) Encode(f rail.FileOrder) ([]byte, error) {
	layout, err := bankfile.Shipped(f.Layout)
	if err != nil {
		return nil, err
	}
	lines := make([]bankfile.Line, len(f.Lines))
	for i, o := range f.Lines {
		lines[i] = written(i+1, o)
	}
	raw, err := layout.Encode(bankfile.Head{File: f.ID, Agreement: l.agreement, Time: f.At}, lines)
	if err != nil {
		return nil, ErrLine.Because(err)
	}
	// What is sent is not what was meant to be written, but what reads back as it.
	head, back, err := layout.Parse(raw)
	if err != nil || head.File != f.ID || len(back) != len(lines) {
		return nil, ErrLine.Because(err)
	}
	for i, x := range back {
		if x.Reference != lines[i].Reference || x.AmountFen != lines[i].AmountFen || l.payee(x) != l.payee(lines[i]) {
			return nil, ErrLine
		}
	}
	return raw, nil
}

func (l line) Send(ctx context.Context, id string, raw []byte) rail.FileSaid {
	return said(l.client.SendFile(ctx, id, raw))
}

func (l line) Query(ctx context.Context, id string) rail.FileSaid {
	return said(l.client.QueryFile(ctx, id))
}

func said(r bank.FileResult) rail.FileSaid {
	out := rail.FileSaid{Word: word(r), File: r.File, Digest: r.Digest, Lines: r.Lines, TotalFen: r.TotalFen,
		Edition: r.Edition, ReturnDigest: r.ReturnDigest, Code: r.Code, Evidence: r.Evidence}
	if r.Status == bank.FileRefused && out.Word == payout.Refused {
		out.Alarm = alarm
	}
	return out
}

// word frees what the bank says of a file from its protocol.
func word(r bank.FileResult) payout.Word {
	switch bank.Meaning(r.Code) {
	case bank.Freeze:
		return payout.Conflict
	case bank.Pause:
		return payout.Short
	}
	switch r.Status {
	case bank.FileAccepted:
		return payout.Processing
	case bank.FileRejected:
		return payout.Declined
	case bank.FileNotFound:
		return payout.NotFound
	case bank.FileRefused:
		return payout.Refused
	default:
		return payout.Silence
	}
}

func (l line) Fetch(ctx context.Context, id string, edition int) ([]byte, bool) {
	return l.client.FetchReturn(ctx, id, edition)
}

func (l line) Read(layout string, raw []byte) (rail.Report, error) {
	form, err := bankfile.Shipped(layout)
	if err != nil {
		return rail.Report{}, err
	}
	back, err := form.ParseReturn(raw)
	if err != nil {
		return rail.Report{}, ErrReturn.Because(err)
	}
	if back.Agreement != l.agreement {
		return rail.Report{}, ErrReturn
	}
	out := rail.Report{File: back.File, Edition: back.Edition, Digest: back.Digest, Lines: make([]rail.Reported, len(back.Lines))}
	for i, v := range back.Lines {
		out.Lines[i] = rail.Reported{Line: v.Seq, Said: payout.Said{Word: verdict(v), Reference: v.Reference, AmountFen: v.AmountFen,
			Payee: l.payee(v.Line), At: v.At, Code: v.Code, Evidence: back.Digest, BankReference: v.BankReference}}
		if v.Foreign != "" {
			out.Lines[i].Code = "?" + v.Foreign
		}
	}
	return out, nil
}

// verdict frees what a return file says of a line. A failure or a return needs a
// reason that we know, and a payment must not have one: otherwise nobody knows.
func verdict(v bankfile.Verdict) payout.Word {
	known := v.Code != "" && v.Foreign == ""
	switch {
	case v.Status == bankfile.Paid && v.Code == "" && v.Foreign == "":
		return payout.Succeeded
	case v.Status == bankfile.Failed && known:
		return payout.Declined
	case v.Status == bankfile.Returned && known:
		return payout.SentBack
	}
	return payout.Silence
}
