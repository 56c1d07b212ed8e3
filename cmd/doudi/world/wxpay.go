package world

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // WeChat Pay prescribes OAEP with SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
)

// The contract of WeChat Pay is written down here a second time, so that the
// client's own reading of it is tested against this one.

const wxpayPath = "/v3/fund-app/mch-transfer/transfer-bills"

// States of a bill.
const (
	wxAccepted     = "ACCEPTED"
	wxConfirming   = "WAIT_USER_CONFIRM"
	wxTransferring = "TRANSFERING"
	wxSucceeded    = "SUCCESS"
	wxFailed       = "FAIL"
	wxCancelling   = "CANCELING"
	wxCancelled    = "CANCELLED"
)

// wxConfirm is how long a person has to accept.
const wxConfirm = 24 * time.Hour

// bill is one transfer with all that has become of it, so that its state is a
// question of the clock and survives any restart.
type bill struct {
	BillNo      string    `json:"bill_no"`
	Digest      string    `json:"digest"` // of the request bytes
	AmountFen   money.Fen `json:"amount_fen"`
	OpenID      string    `json:"openid"`
	Name        string    `json:"name"`
	Remark      string    `json:"remark"`
	Notify      string    `json:"notify"`
	CreatedAt   time.Time `json:"created_at"`
	ReadyAt     time.Time `json:"ready_at"`             // from when it can be accepted
	AcceptedAt  time.Time `json:"accepted_at,omitzero"` // by the person
	CancelledAt time.Time `json:"cancelled_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"` // when what follows from either comes true
	Reason      string    `json:"reason,omitempty"`  // of the failure that follows
	order       int
	told        bool
	tries       int
	next        time.Time
	rule        *Rule
}

// state is a bill's state at a time, and since when.
func (b *bill) state(now time.Time) (state, reason string, at time.Time) {
	ended := !b.EndedAt.IsZero() && !now.Before(b.EndedAt)
	switch {
	case !b.CancelledAt.IsZero() && ended:
		return wxCancelled, "", b.EndedAt
	case !b.CancelledAt.IsZero():
		return wxCancelling, "", b.CancelledAt
	case ended && b.Reason != "":
		return wxFailed, b.Reason, b.EndedAt
	case ended:
		return wxSucceeded, "", b.EndedAt
	case !b.AcceptedAt.IsZero():
		return wxTransferring, "", b.AcceptedAt
	case !now.Before(b.CreatedAt.Add(wxConfirm)):
		return wxFailed, "OVERDUE_CLOSE", b.CreatedAt.Add(wxConfirm)
	case now.Before(b.ReadyAt):
		return wxAccepted, "", b.CreatedAt
	}
	return wxConfirming, "", b.ReadyAt
}

func (b *bill) over(now time.Time) bool {
	s, _, _ := b.state(now)
	return s == wxSucceeded || s == wxFailed || s == wxCancelled
}

// keepBill puts a bill, or what has become of it, in the book.
func (w *World) keepBill(b bill) {
	old := w.bills[b.BillNo]
	if old == nil {
		w.billOrder = append(w.billOrder, b.BillNo)
		b.order = len(w.billOrder)
	} else {
		b.order, b.told, b.tries, b.next, b.rule = old.order, old.told, old.tries, old.next, old.rule
	}
	w.bills[b.BillNo] = &b
}

func (w *World) saveBill(b bill) bool {
	if err := w.journal.append(record{Bill: &b}); err != nil {
		w.options.Log.Error("world: the book cannot be written", "error", err)
		return false
	}
	w.keepBill(b)
	return true
}

// wxpayStamp signs for WeChat Pay, or pretends to. Odd bills are signed with the
// key it moves from: both are live.
func (w *World) wxpayStamp(how signing, odd bool, body []byte) http.Header {
	if how == notAtAll {
		return http.Header{}
	}
	keys, at, nonce := w.options.Keys.WxPay(), w.now(), hexOf(derive(string(body), "nonce"))[:32]
	id, key := wxpayOwnID, keys.Own
	if odd {
		id, key = wxpayNextID, keys.Next
	}
	if how == inThePast {
		at = at.Add(-(outside.Window + 1) * time.Second)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	text := stamp + "\n" + nonce + "\n" + string(body) + "\n"
	if how == badly || how == toOtherNonce {
		text += "x"
	}
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return http.Header{}
	}
	signature := base64.StdEncoding.EncodeToString(sig)
	if how == asProbe {
		signature = "WECHATPAY/SIGNTEST/" + signature
	}
	h := http.Header{}
	h.Set("Wechatpay-Serial", id)
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Signature", signature)
	return h
}

func (w *World) wxpayReply(status int, v map[string]any, odd bool) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return reply{status: status, body: body, sign: func(how signing, _ int, body []byte) http.Header { return w.wxpayStamp(how, odd, body) }}
}

// wxpayError is an error answer, which WeChat Pay does not always sign.
func wxpayError(status int, code, message string) reply {
	body, err := json.Marshal(map[string]string{"code": code, "message": message})
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return reply{status: status, body: body}
}

var authorizationForm = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="([0-9]+)",nonce_str="([0-9A-Za-z]{16,32})",timestamp="([0-9]+)",serial_no="([0-9A-F]+)",signature="([^"]+)"$`)

// wxpayAdmit checks who is calling; the reply says why not.
func (w *World) wxpayAdmit(r *http.Request, body []byte) (reply, bool) {
	keys := w.options.Keys.WxPay()
	m := authorizationForm.FindStringSubmatch(r.Header.Get("Authorization"))
	bad := wxpayError(http.StatusUnauthorized, "SIGN_ERROR", "签名错误")
	if m == nil || m[1] != keys.MchID || m[4] != keys.Serial || !outside.Fresh(m[3], w.now()) {
		return bad, false
	}
	sig, err := base64.StdEncoding.DecodeString(m[5])
	sum := sha256.Sum256([]byte(r.Method + "\n" + r.URL.RequestURI() + "\n" + m[3] + "\n" + m[2] + "\n" + string(body) + "\n"))
	if err != nil || rsa.VerifyPKCS1v15(&keys.Client.PublicKey, crypto.SHA256, sum[:], sig) != nil || w.spent("wxpay "+m[2]) {
		return bad, false
	}
	if r.Header.Get("Accept") != "application/json" || r.Header.Get("User-Agent") == "" {
		return wxpayError(http.StatusBadRequest, "PARAM_ERROR", "缺少 Accept 或 User-Agent"), false
	}
	return reply{}, true
}

type wxpayOrder struct {
	AppID      string    `json:"appid"`
	BillNo     string    `json:"out_bill_no"`
	Scene      string    `json:"transfer_scene_id"`
	OpenID     string    `json:"openid"`
	Name       string    `json:"user_name"`
	AmountFen  money.Fen `json:"transfer_amount"`
	Remark     string    `json:"transfer_remark"`
	Notify     string    `json:"notify_url"`
	Perception string    `json:"user_recv_perception"`
	Reports    []struct {
		Type    string `json:"info_type"`
		Content string `json:"info_content"`
	} `json:"transfer_scene_report_infos"`
}

var wxBillForm = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

// wxpayRefuses holds an order to the limits of the contract; "" is acceptable.
func (w *World) wxpayRefuses(r *http.Request, o *wxpayOrder) (code, message string) {
	u, err := url.Parse(o.Notify)
	switch {
	case o.AppID != w.options.Keys.WeChatAppID:
		return "INVALID_REQUEST", "APPID不存在"
	case !wxBillForm.MatchString(o.BillNo), o.OpenID == "", len(o.OpenID) > 64, err != nil || u.Host == "" || u.RawQuery != "",
		o.Remark == "" || utf8.RuneCountInString(o.Remark) > 32:
		return "PARAM_ERROR", "参数错误"
	case o.Scene != "1002":
		return "INVALID_REQUEST", "未获取转账场景"
	case o.Perception != "" && o.Perception != "行政补贴" && o.Perception != "行政奖励":
		return "INVALID_REQUEST", "不支持的用户收款感知"
	case len(o.Reports) != 1 || o.Reports[0].Type != "补贴类型" || o.Reports[0].Content == "":
		return "PARAM_ERROR", "需传入转账场景报备信息"
	case o.AmountFen < 10, o.AmountFen >= 2000_00 && o.Name == "", o.AmountFen < 30 && o.Name != "":
		return "INVALID_REQUEST", "超过单笔转账上下限"
	}
	if o.Name == "" {
		return "", ""
	}
	keys := w.options.Keys.WxPay()
	sealed, err := base64.StdEncoding.DecodeString(o.Name)
	key := map[string]*rsa.PrivateKey{wxpayOwnID: keys.Own, wxpayNextID: keys.Next}[r.Header.Get("Wechatpay-Serial")]
	if err != nil || key == nil {
		return "PARAM_ERROR", "敏感信息解密失败"
	}
	name, err := rsa.DecryptOAEP(sha1.New(), nil, key, sealed, nil)
	if err != nil {
		return "PARAM_ERROR", "敏感信息解密失败"
	}
	o.Name = string(name)
	return "", ""
}

func (w *World) wxpayCreate(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var o wxpayOrder
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	malformed := dec.Decode(&o) != nil
	if a, ok := w.wxpayAdmit(r, raw); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, plan := w.match(callOf{service: "wxpay", op: "send", reference: o.BillNo, order: w.billPlace(o.BillNo)})
	w.respond(rw, r, line, func() reply {
		if malformed {
			return wxpayError(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
		}
		if code, message := w.wxpayRefuses(r, &o); code != "" {
			return wxpayError(http.StatusBadRequest, code, message)
		}
		switch {
		case line.Effect == "code":
			return wxpayError(wxStatus(line.Code), line.Code, "剧本")
		case w.over("wxpay send"):
			return wxpayError(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率超限")
		}
		return w.wxpayTake(raw, o, plan)
	})
}

// wxStatus is the HTTP status under which a code comes.
func wxStatus(code string) int {
	switch code {
	case "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED":
		return http.StatusTooManyRequests
	case "NOT_ENOUGH", "NO_AUTH", "USER_ERROR", "ACCOUNTERROR", "APPID_MCHID_NOT_MATCH":
		return http.StatusForbidden
	case "SIGN_ERROR":
		return http.StatusUnauthorized
	case "SYSTEM_ERROR":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func (w *World) billPlace(billNo string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.bills[billNo]; b != nil {
		return b.order
	}
	return len(w.billOrder) + 1
}

// wxpayTake enters an order in the book, once, and answers only when the book is
// on disk.
func (w *World) wxpayTake(raw []byte, o wxpayOrder, plan Rule) reply {
	sum := sha256.Sum256(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	b := w.bills[o.BillNo]
	if b != nil && b.Digest != hexOf(sum[:]) {
		return wxpayError(http.StatusBadRequest, "INVALID_REQUEST", "单号已存在但信息不一致")
	}
	if b == nil {
		made := bill{BillNo: o.BillNo, Digest: hexOf(sum[:]), AmountFen: o.AmountFen, OpenID: o.OpenID, Name: o.Name, Remark: o.Remark,
			Notify: o.Notify, CreatedAt: now, ReadyAt: now}
		switch plan.Effect {
		case "processing":
			made.ReadyAt = now.Add(plan.After)
		case "fail":
			made.EndedAt, made.Reason = now.Add(max(plan.After, w.options.PayDelay)), plan.Code
		}
		if !w.saveBill(made) {
			return reply{status: http.StatusInternalServerError}
		}
		b = w.bills[o.BillNo]
	}
	state, reason, _ := b.state(now)
	out := map[string]any{"out_bill_no": b.BillNo, "transfer_bill_no": wxBill(b.BillNo), "create_time": b.CreatedAt.Format(time.RFC3339), "state": state}
	if reason != "" {
		out["fail_reason"] = reason
	}
	if state == wxConfirming {
		out["package_info"] = w.wxPackage(b.BillNo)
	}
	return w.wxpayReply(http.StatusOK, out, b.order%2 == 1)
}

// wxBill is WeChat Pay's own number of a bill.
func wxBill(billNo string) string { return "133" + hexOf(derive(billNo, "bill"))[:29] }

// wxPackage opens the page on which the person accepts a bill.
func (w *World) wxPackage(billNo string) string {
	return base64.StdEncoding.EncodeToString(append([]byte(billNo+"\n"), derive(w.options.Seed, "package "+billNo)...))
}

func (w *World) wxFull(b *bill, now time.Time, lie string) map[string]any {
	state, reason, at := b.state(now)
	out := map[string]any{"mch_id": w.options.Keys.WxPay().MchID, "out_bill_no": b.BillNo, "transfer_bill_no": wxBill(b.BillNo), "state": state,
		"transfer_amount": b.AmountFen, "openid": b.OpenID, "create_time": b.CreatedAt.Format(time.RFC3339), "update_time": at.Format(time.RFC3339)}
	if reason != "" {
		out["fail_reason"] = reason
	}
	switch lie {
	case "wrong_amount":
		out["transfer_amount"] = b.AmountFen + 1
	case "wrong_person":
		out["openid"] = "oSomebodyElse"
	case "other_reference":
		out["out_bill_no"] = "0000other0000"
	case "other_merchant":
		out["mch_id"] = "1900009999"
	}
	return out
}

func (w *World) wxpayQuery(rw http.ResponseWriter, r *http.Request) {
	billNo := r.PathValue("bill")
	if a, ok := w.wxpayAdmit(r, nil); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, _ := w.match(callOf{service: "wxpay", op: "query", reference: billNo, order: w.billPlace(billNo)})
	w.respond(rw, r, line, func() reply {
		if w.over("wxpay query") {
			return wxpayError(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率超限")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		b := w.bills[billNo]
		if b == nil || w.now().Sub(b.CreatedAt) > 30*24*time.Hour {
			return wxpayError(http.StatusNotFound, "NOT_FOUND", "记录不存在")
		}
		out := w.wxFull(b, w.now(), line.Lie)
		out["appid"], out["transfer_remark"] = w.options.Keys.WeChatAppID, b.Remark
		return w.wxpayReply(http.StatusOK, out, b.order%2 == 1)
	})
}

func (w *World) wxpayCancel(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	billNo := r.PathValue("bill")
	if a, ok := w.wxpayAdmit(r, raw); !ok {
		w.respond(rw, r, Rule{}, func() reply { return a })
		return
	}
	line, _ := w.match(callOf{service: "wxpay", op: "cancel", reference: billNo, order: w.billPlace(billNo)})
	w.respond(rw, r, line, func() reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		b := w.bills[billNo]
		if b == nil {
			return wxpayError(http.StatusNotFound, "NOT_FOUND", "记录不存在")
		}
		now := w.now()
		state, _, _ := b.state(now)
		if state == wxConfirming || state == wxAccepted {
			next := *b
			next.CancelledAt, next.EndedAt, next.Reason = now, now.Add(w.options.PayDelay), ""
			if !w.saveBill(next) {
				return reply{status: http.StatusInternalServerError}
			}
			b = w.bills[billNo]
		} else if state != wxCancelling && state != wxCancelled {
			return wxpayError(http.StatusBadRequest, "INVALID_REQUEST", "单据状态不支持撤销")
		}
		state, _, at := b.state(now)
		return w.wxpayReply(http.StatusOK, map[string]any{"out_bill_no": billNo, "transfer_bill_no": wxBill(billNo), "state": state, "update_time": at.Format(time.RFC3339)}, b.order%2 == 1)
	})
}

// Accept is a person who taps 确认收款 on the page that a package opens. It reports
// whether the page was shown to the right person in time.
func (w *World) Accept(openID, content string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, err := base64.StdEncoding.DecodeString(content)
	billNo, _, _ := strings.Cut(string(raw), "\n")
	b := w.bills[billNo]
	if err != nil || b == nil || content != w.wxPackage(billNo) || b.OpenID != openID {
		return false
	}
	now := w.now()
	if state, _, _ := b.state(now); state != wxConfirming {
		return state == wxTransferring || state == wxSucceeded
	}
	next := *b
	next.AcceptedAt, next.EndedAt = now, now.Add(w.options.PayDelay)
	return w.saveBill(next)
}

// Wallet is what has arrived under a bill.
func (w *World) Wallet(billNo string) money.Fen {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.bills[billNo]; b != nil {
		if state, _, _ := b.state(w.now()); state == wxSucceeded {
			return b.AmountFen
		}
	}
	return 0
}

// Package is what the page of a bill opens with, and for whom; empty when there is none.
func (w *World) Package(billNo string) (openID, content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.bills[billNo]; b != nil {
		return b.OpenID, w.wxPackage(billNo)
	}
	return "", ""
}

// News is a signed callback about a bill as it stands, and the address it goes to.
func (w *World) News(billNo string) (notify string, header http.Header, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.bills[billNo]
	if b == nil {
		return "", nil, nil
	}
	body = w.wxNotice(b, "")
	return b.Notify, w.wxpayStamp(honestly, b.order%2 == 1, body), body
}

// wxNotice is the body of the callback that a bill is final.
func (w *World) wxNotice(b *bill, lie string) []byte {
	plain, err := json.Marshal(w.wxFull(b, w.now(), lie))
	if err != nil {
		return nil
	}
	block, err := aes.NewCipher(w.options.Keys.WxPay().APIv3)
	if err != nil {
		return nil
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil
	}
	nonce, aad := hexOf(derive(b.BillNo, "gcm"))[:12], "mch_payment"
	body, err := json.Marshal(map[string]any{"id": hexOf(derive(b.BillNo, "notice"))[:36], "create_time": w.now().Format(time.RFC3339), "resource_type": "encrypt-resource",
		"event_type": "MCHTRANSFER.BILL.FINISHED", "summary": "商家转账单据终态通知", "resource": map[string]string{"original_type": "mch_payment",
			"algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), plain, []byte(aad))), "associated_data": aad, "nonce": nonce}})
	if err != nil {
		return nil
	}
	return body
}

// wxpayStep sends the callbacks that are due and returns how many were taken.
func (w *World) wxpayStep(ctx context.Context) int {
	taken := 0
	for _, b := range w.wxpayDue() {
		for range max(1, b.rule.Times) {
			w.mu.Lock()
			body, how := w.wxNotice(b, b.rule.Lie), honestly
			w.mu.Unlock()
			switch signing(b.rule.Lie) {
			case badly, asProbe, notAtAll, inThePast:
				how = signing(b.rule.Lie)
			}
			if b.rule.Lie == "garbage" {
				body = []byte(`{"id":`)
			}
			h := w.wxpayStamp(how, b.order%2 == 1, body)
			h.Set("Content-Type", "application/json")
			a, err := outside.Caller{HTTP: w.options.Callback}.Do(ctx, http.MethodPost, b.Notify, h, body)
			if err == nil && a.Status/100 == 2 {
				taken++
				w.mu.Lock()
				w.bills[b.BillNo].told = true
				w.mu.Unlock()
			}
		}
	}
	return taken
}

// wxpayDue picks the bills whose callback's time has come and moves the next try on.
func (w *World) wxpayDue() []*bill {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var out []*bill
	for _, no := range w.billOrder {
		b := w.bills[no]
		if b.told || b.tries >= len(w.options.Ladder) || !b.over(now) {
			continue
		}
		if b.rule == nil {
			line, _ := w.script.match(callOf{service: "wxpay", op: "callback", reference: no, order: b.order})
			b.rule, b.next = &line, now.Add(w.options.Ladder[0]+line.After)
			if line.Effect == "drop" {
				b.told = true
			}
		}
		if b.told || now.Before(b.next) {
			continue
		}
		if b.tries++; b.tries < len(w.options.Ladder) {
			b.next = now.Add(w.options.Ladder[b.tries])
		}
		sent := *b
		out = append(out, &sent)
	}
	if len(out) > 1 && out[0].rule.Effect == "reorder" {
		slices.Reverse(out)
	}
	return out
}

// adminAccept is the tap on 确认收款: {"openid": …, "package": …}.
func (w *World) adminAccept(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var q struct {
		Name    string `json:"name"`
		Package string `json:"package"`
	}
	if json.Unmarshal(raw, &q) != nil || !w.Accept(w.OpenID(strings.TrimPrefix(q.Name, "wx:")), q.Package) {
		writeJSON(rw, http.StatusConflict, map[string]string{"error": "no page opens with that package for that person"})
		return
	}
	writeJSON(rw, http.StatusOK, map[string]string{"result": "success"})
}
