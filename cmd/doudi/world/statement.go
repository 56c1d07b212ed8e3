package world

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // WeChat Pay names its files by SHA-1
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// Statements of a day, as the bank and WeChat Pay write them. Their layouts are
// written down here a second time, so that our reading of them is tested.

// TreasuryHolder is the number of the treasury's account, on its statements.
const TreasuryHolder = "TREASURY-0001"

const (
	wxpayFlowPath = "/v3/bill/fundflowbill"
	wxpayFilePath = "/v3/billdownload/file"
)

var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// movement is one line of a statement.
type movement struct {
	reference, number string
	back              bool
	fen               money.Fen
	payee, code       string
	at                time.Time
	order             int
}

// onDay reports whether t has happened by now and falls on day.
func onDay(t, now time.Time, day string) bool {
	return !t.IsZero() && !t.After(now) && t.In(china).Format(time.DateOnly) == day
}

// bankMovements is what really happened on a day, oldest first; w.mu is held.
func (w *World) bankMovements(day string) []movement {
	var all []movement
	for _, reference := range w.order {
		t := w.book[reference]
		m := movement{reference: t.Reference, number: "B" + hexOf(derive(t.Reference, "number"))[:8], fen: t.AmountFen, order: t.order,
			payee: bank.PayeeDigest(payeeKeyName, w.options.Keys.PayeeKey, t.Reference, t.Name, t.Account)}
		if onDay(t.PaidAt, w.now(), day) {
			m.at = t.PaidAt
			all = append(all, m)
		}
		if onDay(t.ReturnedAt, w.now(), day) {
			m.at, m.back, m.code = t.ReturnedAt, true, t.Code
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b movement) int { return a.at.Compare(b.at) })
	return all
}

func (w *World) wxpayMovements(day string) []movement {
	var all []movement
	for _, no := range w.billOrder {
		b := w.bills[no]
		if state, _, at := b.state(w.now()); state == wxSucceeded && onDay(at, w.now(), day) {
			all = append(all, movement{reference: no, number: wxBill(no), fen: b.AmountFen, at: at, order: b.order})
		}
	}
	return all
}

// bend tells the lies of a day about its movements.
func bend(all []movement, day time.Time, told []Rule) []movement {
	for _, r := range told {
		i := slices.IndexFunc(all, func(m movement) bool {
			return (r.Reference == "" || r.Reference == m.reference) && (r.Order == 0 || r.Order == m.order)
		})
		if r.Lie == "unknown" {
			all = append(all, movement{reference: strings.Repeat("9z", 13), number: "B9999999999999999", fen: 123_45, at: day.Add(12 * time.Hour),
				payee: payeeKeyName + ":" + strings.Repeat("9", 64)})
		}
		if i < 0 {
			continue
		}
		switch r.Lie {
		case "omit", "cut":
			all = slices.Delete(all, i, i+1)
		case "alter":
			all[i].fen++
		case "duplicate":
			all = slices.Insert(all, i, all[i])
		case "someone":
			all[i].payee = payeeKeyName + ":" + strings.Repeat("7", 64)
		case "sent_back":
			again := all[i]
			again.back, again.code = true, "ACCOUNT_CLOSED"
			all = append(all, again)
		}
	}
	return all
}

// movements is what the statement of a day says happened, lies and cuts included,
// and how the file itself lies; w.mu is held.
func (w *World) movements(service, op, day string, of func(string) []movement) (all []movement, told []Rule) {
	start, err := time.ParseInLocation(time.DateOnly, day, china)
	if err != nil {
		return nil, nil
	}
	told = w.script.about(service, op, day)
	all = bend(of(day), start, told)
	for _, r := range w.script.Rules { // what the day before left to this one
		if r.Service == service && r.Op == op && r.Lie == "cut" {
			for i, m := range of(start.AddDate(0, 0, -1).Format(time.DateOnly)) {
				if r.Reference == m.reference || r.Reference == "" && (r.Order == m.order || r.Order == 0 && i == 0) {
					m.at = start.Add(time.Second)
					all = append(all, m)
				}
			}
		}
	}
	return all, told
}

func tells(told []Rule, lie string) bool {
	return slices.ContainsFunc(told, func(r Rule) bool { return r.Lie == lie })
}

// bankContent is the bank's file.
func bankContent(holder, day string, all []movement, told []Rule) []byte {
	unit := money.Fen.Yuan
	if tells(told, "fen") {
		unit = func(f money.Fen) string { return strconv.FormatInt(int64(f), 10) }
	}
	if tells(told, "other_merchant") {
		holder = "SOMEBODY-ELSE"
	}
	if tells(told, "other_day") {
		day = "2020-01-01"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "#doudi-statement,1,%s,%s\nreference,number,way,amount_yuan,payee,time,code\n", holder, day)
	var out, back money.Fen
	outs, backs := 0, 0
	for _, m := range all {
		way := "paid"
		if m.back {
			way = "returned"
			back += m.fen
			backs++
		} else {
			out += m.fen
			outs++
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s,%s\n", m.reference, m.number, way, unit(m.fen), m.payee, m.at.In(china).Format(time.RFC3339), m.code)
	}
	fmt.Fprintf(&b, "#total,%d,%s,%d,%s\n", outs, unit(out), backs, unit(back))
	return b.Bytes()
}

// wxpayContent is WeChat Pay's 资金账单: every value behind a mark, amounts in
// yuan although the API speaks in fen. Money that was paid in stands in it too.
func wxpayContent(mch, day string, all []movement, told []Rule) []byte {
	unit := money.Fen.Yuan
	if tells(told, "fen") {
		unit = func(f money.Fen) string { return strconv.FormatInt(int64(f), 10) }
	}
	if tells(told, "other_merchant") {
		mch = "1900009999"
	}
	var b bytes.Buffer
	b.WriteString("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\n")
	const topUp money.Fen = 10_000_00
	var out money.Fen
	fmt.Fprintf(&b, "`%s 00:00:00,`F1,`F1,`充值,`充值,`收入,`%s,`%s,`%sAPI,`,`F1\n", day, unit(topUp), unit(topUp), mch)
	for _, m := range all {
		at := m.at.In(china).Format(time.DateTime)
		if tells(told, "other_day") {
			at = "2020-01-01 08:00:00"
		}
		fmt.Fprintf(&b, "`%s,`%s,`%s,`商家转账,`商家转账,`支出,`%s,`0.00,`%sAPI,`,`%s\n", at, m.number, m.number[:16], unit(m.fen), mch, m.reference)
		out += m.fen
	}
	fmt.Fprintf(&b, "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n`%d,`1,`%s,`%d,`%s\n", len(all)+1, unit(topUp), len(all), unit(out))
	return b.Bytes()
}

// issue keeps a day's file and counts it; the same content is the same issue. w.mu
// is held.
func (w *World) issue(key string, content []byte) int {
	for i, old := range w.files[key] {
		if bytes.Equal(old, content) {
			return i + 1
		}
	}
	w.files[key] = append(w.files[key], content)
	return len(w.files[key])
}

func (w *World) issued(key string, n int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 1 || n > len(w.files[key]) {
		return nil
	}
	return w.files[key][n-1]
}

// ready reports whether a day's statement is to be had: from 10:00 on the day after.
func (w *World) ready(day string) bool {
	start, err := time.ParseInLocation(time.DateOnly, day, china)
	return err == nil && !w.now().Before(start.AddDate(0, 0, 1).Add(10*time.Hour))
}

// cutOff is a file that ends in the middle.
func cutOff(content []byte, told []Rule) []byte {
	if tells(told, "truncated") {
		return content[:len(content)/2]
	}
	return content
}

func pack(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(content) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// bankOp names the account's statements in scenarios.
func bankOp(account string) string {
	if account == bank.Treasury {
		return "treasury"
	}
	return "statement"
}

func (w *World) signedReply(r *http.Request, status int, body []byte) reply {
	nonce := r.Header.Get(bank.HeaderNonce)
	return reply{status: status, body: body, sign: func(how signing, status int, body []byte) http.Header {
		return w.stamp(how, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), nonce, body)
	}}
}

func (w *World) ticketReply(r *http.Request, t bank.TicketDocument) reply {
	body, err := json.Marshal(t)
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return w.signedReply(r, http.StatusOK, body)
}

// bankTicket says which bytes a day's statement is.
func (w *World) bankTicket(rw http.ResponseWriter, r *http.Request) {
	account, day := r.PathValue("account"), r.PathValue("day")
	if a, ok := w.admit(r, nil, "0"); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, _ := w.match(callOf{service: "bank", op: bankOp(account)})
	w.respond(rw, r, line, func() reply {
		t := bank.TicketDocument{Agreement: w.options.Keys.Agreement, Account: account, Day: day}
		if (account != bank.Payouts && account != bank.Treasury) || !w.ready(day) {
			return w.ticketReply(r, t)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		all, told := w.movements("bank", bankOp(account), day, w.bankMovements)
		holder := w.options.Keys.Agreement
		if account == bank.Treasury {
			holder = TreasuryHolder
		}
		content := cutOff(bankContent(holder, day, all, told), told)
		t.Ready, t.Issue, t.Bytes, t.SHA256, t.Packing = true, w.issue("bank "+account+" "+day, content), len(content), outside.Evidence(content), "gzip"
		if tells(told, "wrong_digest") {
			t.SHA256 = strings.Repeat("0", 64)
		}
		return w.ticketReply(r, t)
	})
}

func (w *World) bankFile(rw http.ResponseWriter, r *http.Request) {
	if a, ok := w.admit(r, nil, "0"); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, _ := w.match(callOf{service: "bank", op: "file"})
	rw.Header().Set("Content-Type", "application/gzip")
	w.respond(rw, r, line, func() reply {
		n, _ := strconv.Atoi(r.PathValue("issue")) // what is no number is no issue
		content := w.issued("bank "+r.PathValue("account")+" "+r.PathValue("day"), n)
		if content == nil {
			return w.refusal(r, http.StatusNotFound, bank.Refused, "BAD_REQUEST", "0")
		}
		return w.signedReply(r, http.StatusOK, pack(content))
	})
}

// wxpayTicket says where a day's 资金账单 is, and its digest.
func (w *World) wxpayTicket(rw http.ResponseWriter, r *http.Request) {
	if a, ok := w.wxpayAdmit(r, nil); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	day := r.URL.Query().Get("bill_date")
	line, _ := w.match(callOf{service: "wxpay", op: "statement"})
	w.respond(rw, r, line, func() reply {
		switch {
		case r.URL.Query().Get("account_type") != "OPERATION" || r.URL.Query().Get("tar_type") != "GZIP":
			return wxpayError(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
		case !w.ready(day):
			return wxpayError(http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		all, told := w.movements("wxpay", "statement", day, w.wxpayMovements)
		content := cutOff(wxpayContent(w.options.Keys.WxPay().MchID, day, all, told), told)
		token := fmt.Sprintf("%s-%d", day, w.issue("wxpay "+day, content))
		sum := sha1.Sum(content) //nolint:gosec // as above
		digest := hexOf(sum[:])
		if tells(told, "wrong_digest") {
			digest = strings.Repeat("0", 40)
		}
		body, err := json.Marshal(map[string]string{"hash_type": "SHA1", "hash_value": digest,
			"download_url": "http://" + r.Host + wxpayFilePath + "?token=" + token})
		if err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		return reply{status: http.StatusOK, body: body, sign: func(how signing, _ int, body []byte) http.Header { return w.wxpayStamp(how, false, body) }}
	})
}

// wxpayFile gives the file, packed and without a signature.
func (w *World) wxpayFile(rw http.ResponseWriter, r *http.Request) {
	if a, ok := w.wxpayAdmit(r, nil); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, _ := w.match(callOf{service: "wxpay", op: "file"})
	rw.Header().Set("Content-Type", "application/x-gzip")
	w.respond(rw, r, line, func() reply {
		i := strings.LastIndex(r.URL.Query().Get("token"), "-")
		if i < 0 {
			return wxpayError(http.StatusNotFound, "NOT_FOUND", "文件不存在")
		}
		token := r.URL.Query().Get("token")
		n, _ := strconv.Atoi(token[i+1:]) // what is no number is no issue
		content := w.issued("wxpay "+token[:i], n)
		if content == nil {
			return wxpayError(http.StatusNotFound, "NOT_FOUND", "文件不存在")
		}
		return reply{status: http.StatusOK, body: pack(content)}
	})
}
