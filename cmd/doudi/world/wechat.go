package world

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// login is a person who signed in; Code is kept when it works only once.
type login struct {
	Name   string `json:"name"`
	OpenID string `json:"openid"`
	Code   string `json:"code,omitempty"`
}

// Message is one message the world took: a subscribe message or an SMS.
type Message struct {
	Channel  string            `json:"channel"` // wechat or sms
	To       string            `json:"to"`      // open id or telephone number
	Name     string            `json:"name"`    // of who signed in with that open id
	Template string            `json:"template"`
	Data     map[string]string `json:"data"` // by field key, or by position from "1"
	At       time.Time         `json:"at"`
}

// OpenID is the open id of whoever signs in as name.
func (w *World) OpenID(name string) string {
	return "o" + base64.RawURLEncoding.EncodeToString(derive(w.options.Seed, "openid "+name))[:27]
}

// wechatReply is WeChat's way: 200 always, JSON typed as text.
func wechatReply(v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return reply{status: http.StatusOK, body: body}
}

func wechatError(code int, message string) reply {
	return wechatReply(map[string]any{"errcode": code, "errmsg": message + " rid: 00000000-00000000-00000000"})
}

func (w *World) wechat(rw http.ResponseWriter, r *http.Request, op string, person *Person, do func() reply) {
	line, _ := w.match(callOf{service: "wechat", op: op, person: person})
	if line.Effect == "errcode" {
		do = func() reply { return wechatError(line.Errcode, "scenario") }
	}
	rw.Header().Set("Content-Type", "text/plain")
	w.respond(rw, r, line, do)
}

// code2session knows the codes "wx:<name>", "wx:<name>#<anything>", which works
// once, and "wx:<name>#app=<app id>", which is of another mini-program.
func (w *World) code2session(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := q.Get("js_code")
	name, extra, once := strings.Cut(strings.TrimPrefix(code, "wx:"), "#")
	w.wechat(rw, r, "code2session", nil, func() reply {
		other, foreign := strings.CutPrefix(extra, "app=")
		switch {
		case q.Get("appid") != w.options.Keys.WeChatAppID:
			return wechatError(40013, "invalid appid")
		case q.Get("secret") != w.options.Keys.WeChatSecret:
			return wechatError(40125, "invalid appsecret")
		case q.Get("grant_type") != "authorization_code":
			return wechatError(40002, "invalid grant_type")
		case !strings.HasPrefix(code, "wx:") || name == "" || len(code) > 128:
			return wechatError(40029, "invalid code")
		case foreign && other != w.options.Keys.WeChatAppID:
			return wechatError(40013, "invalid appid")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		l := login{Name: name, OpenID: w.OpenID(name)}
		if once || w.options.SingleUseCodes {
			if w.usedCodes[code] {
				return wechatError(40163, "code been used")
			}
			l.Code = code
		}
		if w.logins[l.OpenID] == "" || l.Code != "" {
			if err := w.journal.append(record{Login: &l}); err != nil {
				return wechatError(-1, "system error")
			}
			w.apply(record{Login: &l})
		}
		return wechatReply(map[string]any{"openid": l.OpenID, "session_key": base64.StdEncoding.EncodeToString(derive(w.options.Seed, "session "+name)[:16])})
	})
}

// tokenLife and tokenOverlap are WeChat's: a new token every 6900 seconds, and
// for five minutes the old one works beside it.
const (
	tokenLife    = 6900
	tokenOverlap = 300
)

func (w *World) token(slot int64) string {
	return hexOf(derive(w.options.Seed, fmt.Sprintf("token %d", slot))) + hexOf(derive(w.options.Seed, fmt.Sprintf("more %d", slot)))
}

func (w *World) tokenGood(token string) bool {
	now := w.now().Unix()
	return token == w.token(now/tokenLife) || now%tokenLife < tokenOverlap && token == w.token(now/tokenLife-1)
}

func (w *World) stableToken(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var q struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
	}
	malformed := json.Unmarshal(raw, &q) != nil
	w.wechat(rw, r, "token", nil, func() reply {
		switch {
		case malformed || q.GrantType != "client_credential":
			return wechatError(40002, "invalid grant_type")
		case q.AppID != w.options.Keys.WeChatAppID:
			return wechatError(40013, "invalid appid")
		case q.Secret != w.options.Keys.WeChatSecret:
			return wechatError(40125, "invalid appsecret")
		}
		now := w.now().Unix()
		return wechatReply(map[string]any{"access_token": w.token(now / tokenLife), "expires_in": tokenLife - now%tokenLife + tokenOverlap})
	})
}

// fieldRules are the platform's limits on what a template field may hold,
// written down here a second time so that the client's own are tested against
// them.
var fieldRules = map[string]string{
	"thing": `^.{1,20}$`, "number": `^[\d.]{1,32}$`, "letter": `^[A-Za-z]{1,32}$`, "symbol": `^[^\p{L}\p{N}]{1,5}$`,
	"character_string": `^[\x20-\x7e]{1,32}$`, "phone_number": `^[\d+*() -]{1,17}$`, "car_number": `^.{1,8}$`,
	"name": `^(\P{Latin}{1,10}|[\x20-\x7e·]{1,20})$`, "phrase": `^\p{Han}{1,5}$`,
	"amount": `^[¥￥$]?\d{1,10}(\.\d+)?元?$`, "date": `^\d{4}年\d{1,2}月\d{1,2}日.*$`, "time": `^.*\d{1,2}:\d{2}.*$`,
	"const": `^.{1,20}$`, "enum": `^.{1,20}$`,
}

var trailingDigits = regexp.MustCompile(`\d+$`)

func (w *World) subscribeSend(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var m struct {
		To       string `json:"touser"`
		Template string `json:"template_id"`
		Data     map[string]struct {
			Value string `json:"value"`
		} `json:"data"`
		State string `json:"miniprogram_state"`
		Lang  string `json:"lang"`
	}
	malformed := json.Unmarshal(raw, &m) != nil
	token := r.URL.Query().Get("access_token")
	w.wechat(rw, r, "subscribe", nil, func() reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		name := w.logins[m.To]
		switch {
		case !w.tokenGood(token):
			return wechatError(40001, "invalid credential, access_token is invalid or not latest")
		case malformed || m.State == "" || m.Lang == "":
			return wechatError(47001, "data format error")
		case name == "":
			return wechatError(40003, "invalid openid")
		case m.Template == "" || len(w.options.Keys.Templates) > 0 && !has(w.options.Keys.Templates, m.Template):
			return wechatError(40037, "invalid template_id")
		}
		data := map[string]string{}
		for key, field := range m.Data {
			rule, ok := fieldRules[trailingDigits.ReplaceAllString(key, "")]
			if !ok || !regexp.MustCompile(rule).MatchString(field.Value) {
				return wechatError(47003, "argument invalid! data."+key+".value invalid")
			}
			data[key] = field.Value
		}
		msg := Message{"wechat", m.To, name, m.Template, data, w.now()}
		if err := w.journal.append(record{Message: &msg}); err != nil {
			return wechatError(-1, "system error")
		}
		w.messages = append(w.messages, msg)
		return wechatReply(map[string]any{"errcode": 0, "errmsg": "ok"})
	})
}

func has(m map[string]string, value string) bool {
	for _, v := range m {
		if v == value {
			return true
		}
	}
	return false
}
