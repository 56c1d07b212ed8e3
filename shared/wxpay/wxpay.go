// Package wxpay is the line to WeChat Pay for merchant transfers that the person
// accepts in the mini-program (商家转账, scene 1002 行政补贴): one bill number,
// one payment.
//
// It refuses to know awards, funds and payout states, and it refuses to guess:
// whatever is not a verified statement is Unknown, an error answer concludes
// nothing, and only a verified answer to Query says that a bill failed or was
// taken back.
package wxpay

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // WeChat Pay prescribes OAEP with SHA-1; it hides a name and signs nothing
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Path is where bills live below the base URL.
const Path = "/v3/fund-app/mch-transfer/transfer-bills"

// Limits of the provider.
const (
	MinFen      money.Fen = 10      // 0.1 yuan
	NamedFen    money.Fen = 30      // a name is not taken for less than 0.3 yuan
	NameFen     money.Fen = 2000_00 // and must be given from 2,000 yuan
	RemarkLimit           = 32      // characters that the person reads
	PerSecond             = 100     // bills, and questions, of one merchant
	ClosePerSec           = 20
	Confirm               = 24 * time.Hour // the person has to accept
	QueryWindow           = 30 * 24 * time.Hour
)

// Scene is what the transfer is for, as agreed with WeChat Pay. Each scene has its
// own closed lists, which no code can know better than the agreement.
type Scene struct {
	ID         string // "1002"
	Perception string // what the person sees: 行政补贴 or 行政奖励
	Report     string // name of the one thing reported: 补贴类型
	Content    string // and what it is: 急难型临时救助
}

// Subsidy is scene 1002, 行政补贴.
var Subsidy = Scene{ID: "1002", Perception: "行政补贴", Report: "补贴类型", Content: "急难型临时救助"}

// Config is what a Client needs. HTTP, Deadline, Limit and MaxFen may be zero.
type Config struct {
	BaseURL string // https://api.mch.weixin.qq.com
	HTTP    *http.Client
	MchID   string
	AppID   string // of the mini-program whose open ids are paid
	// Serial is of the merchant's certificate, Key its key.
	Serial string
	Key    crypto.Signer
	// Platform are WeChat Pay's live keys: by certificate serial, or PUB_KEY_ID_….
	// Two or more while it moves its traffic from one to another.
	Platform map[string]*rsa.PublicKey
	// Seal names the one of Platform that names are encrypted for.
	Seal      string
	APIv3Key  []byte // 32 bytes; opens callbacks
	NotifyURL string // https, no query
	Scene     Scene
	MaxFen    money.Fen // of one bill, as the merchant's console says; zero is no bound
	// PayeeKeyID and PayeeKey (≥ 32 bytes) make payee digests, ours alone.
	PayeeKeyID string
	PayeeKey   []byte
	Now        func() time.Time
	Random     io.Reader // safe for concurrent use, as crypto/rand.Reader is
	Deadline   time.Duration
	Limit      int64
}

// Client talks to WeChat Pay for one merchant. It is safe for concurrent use.
type Client struct {
	config Config
	caller outside.Caller
}

// New checks the configuration and reports everything that is wrong with it.
func New(c Config) (*Client, error) {
	var wrong []error
	need := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New("wxpay: "+what))
		}
	}
	u, err := url.Parse(c.BaseURL)
	need(err == nil && u.Host != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil, "base URL must be a host alone")
	n, err := url.Parse(c.NotifyURL)
	need(err == nil && n.Host != "" && n.RawQuery == "" && len(c.NotifyURL) <= 256, "notify URL must have a host and no query")
	need(c.MchID != "" && c.AppID != "" && len(c.AppID) <= 32 && c.Serial != "" && c.Key != nil, "merchant, mini-program, certificate serial and key are required")
	need(c.Platform[c.Seal] != nil, "the key that names are sealed for must be a live platform key")
	need(len(c.APIv3Key) == 32, "the APIv3 key has 32 bytes")
	need(c.PayeeKeyID != "" && len(c.PayeeKey) >= 32, "payee key needs an id and at least 32 bytes")
	need(c.MaxFen >= 0, "the most of one transfer is not below zero")
	need(c.Scene.ID != "" && c.Scene.Report != "" && c.Scene.Content != "", "a scene with its report is required")
	need(c.Now != nil && c.Random != nil, "clock and randomness are required")
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return &Client{config: c, caller: outside.Caller{HTTP: c.HTTP, Deadline: c.Deadline, Limit: c.Limit}}, nil
}

// Order asks for one transfer.
type Order struct {
	BillNo    string // ours, permanent, at most 32 of [0-9A-Za-z]
	AmountFen money.Fen
	OpenID    redact.Text // of AppID
	Name      civil.Name  // the person's WeChat Pay name must be this
	Remark    string      // the person reads it
}

type report struct {
	Type    string `json:"info_type"`
	Content string `json:"info_content"`
}

type document struct {
	AppID      string    `json:"appid"`
	BillNo     string    `json:"out_bill_no"`
	SceneID    string    `json:"transfer_scene_id"`
	OpenID     string    `json:"openid"`
	Name       string    `json:"user_name,omitempty"`
	AmountFen  money.Fen `json:"transfer_amount"`
	Remark     string    `json:"transfer_remark"`
	Notify     string    `json:"notify_url"`
	Perception string    `json:"user_recv_perception,omitempty"`
	Reports    []report  `json:"transfer_scene_report_infos"`
}

var (
	billForm   = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
	openIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
)

// Encode is the exact request for o: the serial of the key that the name is sealed
// for, a line feed, the body. The sealed name never comes out the same twice, so
// store it before the first Create and send that ever after; it holds the person
// in the clear. A wrong order is a fault of kind Invalid with every bad field.
func (c *Client) Encode(o Order) ([]byte, error) {
	var bad fault.Fields
	if !billForm.MatchString(o.BillNo) {
		bad.Add("/reference", "form", "商户单号应为1至32位字母或数字。")
	}
	if o.AmountFen < MinFen || !o.AmountFen.Payable() || (c.config.MaxFen > 0 && o.AmountFen > c.config.MaxFen) {
		bad.Add("/amount_fen", "range", "金额不在微信支付允许的范围内。")
	}
	if !openIDForm.MatchString(o.OpenID.Reveal()) {
		bad.Add("/open_id", "form", "缺少收款人的微信标识。")
	}
	if o.Name.Empty() {
		bad.Add("/payee_name", "required", "缺少收款人姓名。")
	}
	if n := utf8.RuneCountInString(o.Remark); n == 0 || n > RemarkLimit || strings.ContainsFunc(o.Remark, unprintable) {
		bad.Add("/purpose", "form", "转账备注应为1至32个可见字符。")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	d := document{AppID: c.config.AppID, BillNo: o.BillNo, SceneID: c.config.Scene.ID, OpenID: o.OpenID.Reveal(), AmountFen: o.AmountFen,
		Remark: o.Remark, Notify: c.config.NotifyURL, Perception: c.config.Scene.Perception,
		Reports: []report{{c.config.Scene.Report, c.config.Scene.Content}}}
	if o.AmountFen >= NamedFen {
		// Required from 2,000 yuan; given always, because WeChat then refuses a person
		// of another name.
		sealed, err := rsa.EncryptOAEP(sha1.New(), c.config.Random, c.config.Platform[c.config.Seal], []byte(o.Name.Reveal()), nil)
		if err != nil {
			return nil, errors.New("wxpay: the name cannot be sealed")
		}
		d.Name = base64.StdEncoding.EncodeToString(sealed)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, errors.New("wxpay: the order cannot be written")
	}
	return append([]byte(c.config.Seal+"\n"), body...), nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// PayeeDigest is what Result.PayeeDigest must equal for a bill of that person.
func (c *Client) PayeeDigest(billNo string, openID redact.Text) string {
	h := hmac.New(sha256.New, c.config.PayeeKey)
	_, _ = io.WriteString(h, billNo+"\n"+openID.Reveal()+"\n")
	return c.config.PayeeKeyID + ":" + hex.EncodeToString(h.Sum(nil))
}

// Result is the outcome of a call. There is no error beside it, so that nobody
// can take a lost answer for a refusal.
type Result struct {
	Status Status
	BillNo string // the one that was asked about
	// AmountFen and PayeeDigest are what a verified answer to Query states; zero
	// when none did.
	AmountFen   money.Fen
	PayeeDigest string
	At          time.Time // WeChat's clock; zero when it did not say
	// Code is WeChat's code or reason of failure (upper case), or ours (lower case).
	Code string
	// Package opens the page on which the person accepts; only Create brings it,
	// and only in Confirming.
	Package redact.Text
	// Evidence is the hex SHA-256 of the raw answer, empty when there was none.
	Evidence string
}

// Closed reports whether the bill ended because nobody accepted it in time or
// because it was taken back.
func (r Result) Closed() bool {
	return r.Status == Cancelled || r.Status == Failed && (r.Code == reasonOverdue || r.Code == reasonCancel)
}

// Our own codes.
const (
	CodeUnverified = "answer-unverified" // no, wrong, stale or probing signature
	CodeMalformed  = "answer-malformed"  // verified, and not what the protocol says
	CodeOther      = "answer-about-another-bill"
	CodeStatus     = "answer-status" // an HTTP status that decides nothing
	codeNoReason   = "OTHER_FAIL_REASON_TYPE"
)

// Create gives WeChat Pay an order: raw is what Encode made, byte for byte. It
// never answers Failed or Cancelled; Query finds out.
func (c *Client) Create(ctx context.Context, billNo string, raw []byte) Result {
	serial, body, ok := bytes.Cut(raw, []byte("\n"))
	if !ok {
		return Result{Status: Unknown, BillNo: billNo, Code: string(outside.Unsendable)}
	}
	r := c.ask(ctx, http.MethodPost, Path, string(serial), billNo, body, c.brief)
	if r.Status == Failed || r.Status == Cancelled || r.Status == NotFound {
		r.Status = Unknown
	}
	return r
}

// Query asks what became of a bill. WeChat Pay answers for 30 days.
func (c *Client) Query(ctx context.Context, billNo string) Result {
	if !billForm.MatchString(billNo) {
		return Result{Status: Unknown, BillNo: billNo, Code: string(outside.Unsendable)}
	}
	return c.ask(ctx, http.MethodGet, Path+"/out-bill-no/"+billNo, c.config.Seal, billNo, nil, c.full)
}

// Cancel asks WeChat Pay to take a bill back before the person accepts it. Whether
// that succeeded, Query says.
func (c *Client) Cancel(ctx context.Context, billNo string) Result {
	if !billForm.MatchString(billNo) {
		return Result{Status: Unknown, BillNo: billNo, Code: string(outside.Unsendable)}
	}
	r := c.ask(ctx, http.MethodPost, Path+"/out-bill-no/"+billNo+"/cancel", c.config.Seal, billNo, []byte("{}"), c.brief)
	if r.Status.Final() {
		r.Status = Unknown
	}
	return r
}

func (c *Client) ask(ctx context.Context, method, target, serial, billNo string, body []byte, read func(Result, []byte) Result) Result {
	unknown := Result{Status: Unknown, BillNo: billNo, Code: string(outside.Unsendable)}
	nonce, err := outside.Nonce(c.config.Random)
	if err != nil {
		return unknown
	}
	authorization, err := Authorization(c.config.Key, c.config.Random, c.config.MchID, c.config.Serial, method, target, nonce, c.config.Now(), body)
	if err != nil {
		return unknown
	}
	header := http.Header{"Authorization": {authorization}, "Accept": {"application/json"}, "User-Agent": {"doudi"}}
	header.Set(HeaderSerial, serial)
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	answer, err := c.caller.Do(ctx, method, c.config.BaseURL+target, header, body)
	if err != nil {
		unknown.Code = string(outside.ClassOf(err))
		return unknown
	}
	unknown.Evidence = answer.Evidence()
	err = Verify(c.config.Platform, answer.Header, c.config.Now(), answer.Body)
	signed := answer.Header.Get(HeaderSignature) != ""
	if err != nil && (signed || answer.Status/100 == 2) {
		// A good answer without a right signature is a forgery, says the provider; it
		// also sends wrong ones on purpose.
		unknown.Code = CodeUnverified
		return unknown
	}
	if answer.Status/100 == 2 {
		return read(unknown, answer.Body)
	}
	unknown.Code = cmp.Or(errorCode(answer.Body), CodeStatus)
	unknown.Status = meaning(answer.Status, unknown.Code)
	return unknown
}

var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// errorCode is the code in an error answer, "" when there is none to be read.
func errorCode(raw []byte) string {
	o, err := outside.Object(raw)
	var code string
	if err != nil || outside.Take(o, "code", &code) != nil || !codeForm.MatchString(code) {
		return ""
	}
	return code
}

// Bill is what WeChat Pay says of one bill, in an answer or a callback.
type Bill struct {
	MchID, AppID, BillNo string
	Status               Status
	AmountFen            money.Fen
	OpenID               redact.Text
	Reason               string
	Package              redact.Text
	At                   time.Time
}

var errForm = errors.New("wxpay: not a bill")

// ParseBill reads a bill. What it does not know it leaves alone, because WeChat Pay
// adds fields without notice; what it knows must be as the protocol says, and no
// key may be there twice. Errors never quote the input.
func ParseBill(raw []byte) (Bill, error) {
	o, err := outside.Object(raw)
	if err != nil {
		return Bill{}, errForm
	}
	var b Bill
	var state, openID, content, updated, created string
	for key, field := range map[string]any{"mch_id": &b.MchID, "appid": &b.AppID, "out_bill_no": &b.BillNo, "state": &state, "transfer_amount": &b.AmountFen,
		"openid": &openID, "fail_reason": &b.Reason, "package_info": &content, "update_time": &updated, "create_time": &created} {
		if outside.Take(o, key, field) != nil {
			return Bill{}, errForm
		}
	}
	b.Status, b.OpenID, b.Package = Status(state), redact.New(openID), redact.New(content)
	if at := cmp.Or(updated, created); at != "" {
		if b.At, err = time.Parse(time.RFC3339, at); err != nil {
			return Bill{}, errForm
		}
	}
	switch {
	case !known(b.Status), !billForm.MatchString(b.BillNo), b.AmountFen < 0,
		openID != "" && !openIDForm.MatchString(openID),
		b.Reason != "" && !codeForm.MatchString(b.Reason),
		content != "" && b.Status != Confirming, len(content) > 4096:
		return Bill{}, errForm
	}
	if b.Status == Failed && b.Reason == "" {
		b.Reason = codeNoReason
	}
	return b, nil
}

// brief reads the answer to Create or Cancel, which states neither amount nor payee.
func (c *Client) brief(unknown Result, raw []byte) Result {
	b, err := ParseBill(raw)
	return c.result(unknown, b, err)
}

// full reads the answer to Query, which must state all of it.
func (c *Client) full(unknown Result, raw []byte) Result {
	b, err := ParseBill(raw)
	if err == nil && (b.AmountFen == 0 || b.OpenID.Empty() || b.MchID == "") {
		err = errForm
	}
	return c.result(unknown, b, err)
}

func (c *Client) result(r Result, b Bill, err error) Result {
	switch {
	case err != nil:
		r.Code = CodeMalformed
	case b.BillNo != r.BillNo, b.MchID != "" && b.MchID != c.config.MchID, b.AppID != "" && b.AppID != c.config.AppID:
		r.Code = CodeOther
	default:
		r.Status, r.Code, r.At, r.AmountFen, r.Package = b.Status, b.Reason, b.At, b.AmountFen, b.Package
		if !b.OpenID.Empty() {
			r.PayeeDigest = c.PayeeDigest(b.BillNo, b.OpenID)
		}
	}
	return r
}
