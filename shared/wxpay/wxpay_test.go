package wxpay

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// The vectors in testdata were made with openssl (testdata/vectors.sh), not with
// this package: what agrees with them agrees with the protocol.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func public(t testing.TB) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode(vector(t, "public.pem"))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pub, _ := key.(*rsa.PublicKey)
	return pub
}

const (
	stamp  = "1795320000"
	serial = "PUB_KEY_ID_0000000000000000000000000000000001"
)

var signedAt = time.Unix(1795320000, 0)

func signed(t testing.TB) http.Header {
	t.Helper()
	h := http.Header{}
	h.Set(HeaderSerial, serial)
	h.Set(HeaderTimestamp, stamp)
	h.Set(HeaderNonce, "c5ac7061fccab6bf3e254dcf98995b8c")
	h.Set(HeaderSignature, strings.TrimSpace(string(vector(t, "answer.sig"))))
	return h
}

func TestRequestTextGolden(t *testing.T) {
	t.Parallel()
	got := RequestText("GET", Path+"/out-bill-no/5b9re7a9g9v464kc6z9h92re4m", stamp, "593BEC0C930BF1AFEB40B4A08C8FB242", nil)
	if want := "GET\n/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/5b9re7a9g9v464kc6z9h92re4m\n1795320000\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"; string(got) != want {
		t.Errorf("%q", got)
	}
}

func TestVerifyGolden(t *testing.T) {
	t.Parallel()
	body := vector(t, "answer.json")
	keys := map[string]*rsa.PublicKey{serial: public(t), "other": public(t)}
	if err := Verify(keys, signed(t), signedAt, body); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		twist func(http.Header)
		at    time.Time
		want  error
	}{
		"300 s late":         {nil, signedAt.Add(300 * time.Second), nil},
		"301 s late":         {nil, signedAt.Add(301 * time.Second), errStale},
		"300 s early":        {nil, signedAt.Add(-300 * time.Second), nil},
		"301 s early":        {nil, signedAt.Add(-301 * time.Second), errStale},
		"scheme named":       {func(h http.Header) { h.Set(HeaderType, Scheme) }, signedAt, nil},
		"another scheme":     {func(h http.Header) { h.Set(HeaderType, "WECHATPAY2-SM2-WITH-SM3") }, signedAt, errScheme},
		"scheme twice":       {func(h http.Header) { h.Add(HeaderType, Scheme); h.Add(HeaderType, Scheme) }, signedAt, errScheme},
		"another live key":   {func(h http.Header) { h.Set(HeaderSerial, "other") }, signedAt, nil},
		"no such key":        {func(h http.Header) { h.Set(HeaderSerial, "PUB_KEY_ID_9") }, signedAt, errKey},
		"X076 a probe":       {func(h http.Header) { h.Set(HeaderSignature, "WECHATPAY/SIGNTEST/"+h.Get(HeaderSignature)) }, signedAt, errProbe},
		"no signature":       {func(h http.Header) { h.Del(HeaderSignature) }, signedAt, errHeaders},
		"two signatures":     {func(h http.Header) { h.Add(HeaderSignature, h.Get(HeaderSignature)) }, signedAt, errHeaders},
		"another nonce":      {func(h http.Header) { h.Set(HeaderNonce, "0") }, signedAt, errWrong},
		"not base64":         {func(h http.Header) { h.Set(HeaderSignature, "%%%") }, signedAt, errWrong},
		"a zero before time": {func(h http.Header) { h.Set(HeaderTimestamp, "0"+stamp) }, signedAt, errStale},
	} {
		h := signed(t)
		if c.twist != nil {
			c.twist(h)
		}
		if err := Verify(keys, h, c.at, body); err != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Verify(keys, signed(t), signedAt, append(bytes.Clone(body), ' ')) != errWrong {
		t.Error("a body with a space more")
	}
}

func TestCallbackOpensGolden(t *testing.T) {
	t.Parallel()
	raw := vector(t, "callback.json")
	id, plain, err := openCallback([]byte("0123456789abcdef0123456789abcdef"), raw)
	if err != nil || id != "EV-2018022511223320873" {
		t.Fatal(id, err)
	}
	b, err := ParseBill(plain)
	if err != nil || b.Status != Succeeded || b.AmountFen != 300000 || b.MchID != "1900000109" || b.OpenID.Reveal() != "oTest-openid-1" {
		t.Errorf("%+v %v", b, err)
	}
	if _, _, err := openCallback([]byte("0123456789abcdef0123456789abcdeX"), raw); err != errSealed {
		t.Error("opened with another key: ", err)
	}
	for name, change := range map[string][2]string{
		"another event":     {"MCHTRANSFER.BILL.FINISHED", "MCHTRANSFER.BATCH.CLOSED"},
		"another algorithm": {"AEAD_AES_256_GCM", "AEAD_SM4_GCM"},
		"another resource":  {"encrypt-resource", "plain"},
		"a short nonce":     {"fdasflkja484", "fdasflkja48"},
		"an id of paths":    {"EV-2018022511223320873", "../../x"},
	} {
		if _, _, err := openCallback([]byte("0123456789abcdef0123456789abcdef"), bytes.Replace(raw, []byte(change[0]), []byte(change[1]), 1)); err != errEnvelope {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := openCallback([]byte("0123456789abcdef0123456789abcdef"), bytes.Replace(raw, []byte(`"mch_payment","nonce"`), []byte(`"mch_paymenT","nonce"`), 1)); err != errSealed {
		t.Error("other associated data: ", err)
	}
}

func TestBillsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"empty":                    ``,
		"array":                    `[]`,
		"no state":                 `{"out_bill_no":"a"}`,
		"a state of tomorrow":      `{"out_bill_no":"a","state":"ALMOST"}`,
		"lower case":               `{"out_bill_no":"a","state":"success"}`,
		"twice":                    `{"out_bill_no":"a","state":"FAIL","state":"SUCCESS"}`,
		"no number":                `{"state":"SUCCESS"}`,
		"a number of paths":        `{"out_bill_no":"../a","state":"SUCCESS"}`,
		"negative":                 `{"out_bill_no":"a","state":"SUCCESS","transfer_amount":-1}`,
		"a fraction":               `{"out_bill_no":"a","state":"SUCCESS","transfer_amount":1.5}`,
		"yuan as text":             `{"out_bill_no":"a","state":"SUCCESS","transfer_amount":"3000.00"}`,
		"no time":                  `{"out_bill_no":"a","state":"SUCCESS","update_time":"yesterday"}`,
		"null":                     `{"out_bill_no":"a","state":null}`,
		"a package for nothing":    `{"out_bill_no":"a","state":"SUCCESS","package_info":"x"}`,
		"an endless package":       `{"out_bill_no":"a","state":"WAIT_USER_CONFIRM","package_info":"` + strings.Repeat("x", 4097) + `"}`,
		"a person who is a header": `{"out_bill_no":"a","state":"SUCCESS","openid":"a\r\nb"}`,
		"a reason in prose":        `{"out_bill_no":"a","state":"FAIL","fail_reason":"余额不足"}`,
		"trailing":                 `{"out_bill_no":"a","state":"SUCCESS"}{}`,
	} {
		if _, err := ParseBill([]byte(raw)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	b, err := ParseBill([]byte(`{"out_bill_no":"a","state":"FAIL","something_new":{"x":1}}`))
	if err != nil || b.Reason != codeNoReason {
		t.Error("a field that we do not know, or a failure without a reason: ", b, err)
	}
}

func TestMeaningsFitTheirStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		http int
		code string
		want Status
	}{
		{404, "NOT_FOUND", NotFound}, {400, "NOT_FOUND", Unknown}, {500, "NOT_FOUND", Unknown}, {200, "NOT_FOUND", Unknown},
		{404, "PARAM_ERROR", Unknown}, {404, CodeStatus, Unknown}, {403, "NOT_ENOUGH", Short}, {500, "NOT_ENOUGH", Unknown},
		{429, "FREQUENCY_LIMITED", Busy}, {500, "SYSTEM_ERROR", Unknown}, {400, "SOMETHING_NEW", Unknown},
	} {
		if got := meaning(c.http, c.code); got != c.want {
			t.Errorf("%d %s: %s", c.http, c.code, got)
		}
	}
	for _, s := range Statuses() {
		if s.Final() != (s == Succeeded || s == Failed || s == Cancelled) || (s.Final() && !known(s)) {
			t.Errorf("%s", s)
		}
	}
	for code, want := range map[string]bool{"OVERDUE_CLOSE": true, "MCH_CANCEL": true, "NAME_NOT_CORRECT": false, "": false} {
		if (Result{Status: Failed, Code: code}).Closed() != want {
			t.Errorf("failed for %q", code)
		}
	}
	if !(Result{Status: Cancelled}).Closed() || (Result{Status: Succeeded, Code: "MCH_CANCEL"}).Closed() {
		t.Error("closed")
	}
}

func good(t testing.TB) Config {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return Config{BaseURL: "https://api.mch.weixin.qq.com", MchID: "1900000109", AppID: "wx1", Serial: "4015", Key: key,
		Platform: map[string]*rsa.PublicKey{serial: public(t)}, Seal: serial, APIv3Key: bytes.Repeat([]byte{1}, 32),
		NotifyURL: "https://aid.example.cn/v1/callbacks/wxpay", Scene: Subsidy, MaxFen: 500_00, PayeeKeyID: "p1", PayeeKey: bytes.Repeat([]byte{2}, 32),
		Now: func() time.Time { return signedAt }, Random: rand.Reader}
}

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{NotifyURL: "https://x/y?z=1", BaseURL: "https://x/path"}); err == nil || strings.Count(err.Error(), "\n") != 7 {
		t.Error(err)
	}
	c, err := New(good(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Encode(Order{BillNo: "a", AmountFen: 500_01, OpenID: redact.New("o"), Name: civil.StoredName("张三"), Remark: "救助金"})
	if fault.Of(err).Kind != fault.Invalid {
		t.Error("above the merchant's limit: ", err)
	}
	_, err = c.Encode(Order{BillNo: "a-b", AmountFen: 9, OpenID: redact.New("a\nb"), Remark: strings.Repeat("救", 33)})
	if f := fault.Of(err); len(f.Fields) != 5 {
		t.Errorf("not all bad fields at once: %+v", f.Fields)
	}
	for _, r := range []Result{c.Create(t.Context(), "a", []byte("no serial")), c.Query(t.Context(), "../x"), c.Cancel(t.Context(), "")} {
		if r.Status != Unknown || r.Code != string(outside.Unsendable) {
			t.Errorf("%+v", r)
		}
	}
}

// speaks is WeChat Pay with one answer to everything, signed.
type speaks struct {
	key    *rsa.PrivateKey
	status int
	body   string
}

func (s speaks) RoundTrip(r *http.Request) (*http.Response, error) {
	at := strconv.FormatInt(signedAt.Unix(), 10)
	digest := sha256.Sum256([]byte(at + "\nnonce\n" + s.body + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: s.status, Request: r, Body: io.NopCloser(strings.NewReader(s.body)), Header: http.Header{
		"Wechatpay-Serial": {serial}, "Wechatpay-Timestamp": {at}, "Wechatpay-Nonce": {"nonce"},
		"Wechatpay-Signature": {base64.StdEncoding.EncodeToString(signature)}}}, nil
}

// TestTheAnswerToAnOrderConcludesNothing: only a question does. The same words in
// answer to one are believed.
func TestTheAnswerToAnOrderConcludesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		asked  Status // what the same says when we ask
	}{
		{200, `{"mch_id":"1900000109","out_bill_no":"a","openid":"o","transfer_amount":100,"state":"FAIL","fail_reason":"PAYEE_ACCOUNT_ABNORMAL"}`, Failed},
		{200, `{"mch_id":"1900000109","out_bill_no":"a","openid":"o","transfer_amount":100,"state":"CANCELLED"}`, Cancelled},
		{404, `{"code":"NOT_FOUND","message":"no such bill"}`, NotFound},
		{500, `{"code":"SYSTEM_ERROR","message":"again"}`, Unknown},
	} {
		config := good(t)
		key := config.Key.(*rsa.PrivateKey) // both ends have it here
		config.Platform = map[string]*rsa.PublicKey{serial: &key.PublicKey}
		config.HTTP = &http.Client{Transport: speaks{key, c.status, c.body}}
		client, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		if r := client.Create(t.Context(), "a", []byte(serial+"\n{}")); r.Status != Unknown {
			t.Errorf("%s concludes %s", c.body, r.Status)
		}
		if r := client.Query(t.Context(), "a"); r.Status != c.asked {
			t.Errorf("asked, %s says %s %s, not %s", c.body, r.Status, r.Code, c.asked)
		}
	}
}

func FuzzParseBill(f *testing.F) {
	for _, s := range []string{`{"out_bill_no":"a","state":"SUCCESS","transfer_amount":300000,"openid":"o","mch_id":"1"}`,
		`{"out_bill_no":"a","state":"FAIL","fail_reason":"OVERDUE_CLOSE"}`, `{"out_bill_no":"a","state":"WAIT_USER_CONFIRM","package_info":"x"}`, `{`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseBill(raw)
		if err != nil {
			if strings.Contains(err.Error(), "\"") {
				t.Error("an error quotes its input")
			}
			return
		}
		if !known(b.Status) || !billForm.MatchString(b.BillNo) || b.AmountFen < 0 {
			t.Errorf("%+v", b)
		}
	})
}

func FuzzCallback(f *testing.F) {
	key := []byte("0123456789abcdef0123456789abcdef")
	whole := vector(f, "callback.json")
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"id":"a","event_type":"MCHTRANSFER.BILL.FINISHED","resource_type":"encrypt-resource","resource":{"algorithm":"AEAD_AES_256_GCM","ciphertext":"","associated_data":"","nonce":"012345678901"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, plain, err := openCallback(key, raw)
		if err == nil && (!idForm.MatchString(id) || !bytes.Contains(plain, []byte("out_bill_no"))) {
			t.Errorf("what nobody sealed was opened: %q", id)
		}
	})
}

func FuzzErrorCode(f *testing.F) {
	f.Add([]byte(`{"code":"NOT_ENOUGH","message":"x"}`))
	f.Add([]byte(`{"code":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c := errorCode(raw); c != "" && !codeForm.MatchString(c) {
			t.Errorf("%q", c)
		}
	})
}
