package world

import (
	"net/http"
	"regexp"
	"strings"
)

// wecomToken is the one token of the staff's single sign-on.
func (w *World) wecomToken() string { return hexOf(derive(w.options.Seed, "wecom token")) }

func (w *World) wecomGetToken(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("corpid") != w.options.Keys.WeComCorp || q.Get("corpsecret") != w.options.Keys.WeComSecret {
		w.send(rw, wechatError(40001, "invalid credential"))
		return
	}
	w.send(rw, wechatReply(map[string]any{"errcode": 0, "errmsg": "ok", "access_token": w.wecomToken(), "expires_in": 7200}))
}

// ofRegion is a member's name that says its region: "320400-clerk-1".
var ofRegion = regexp.MustCompile(`^[0-9]{6}-`)

// wecomMember knows the codes "staff:<id>" of members, of the first region when
// the id says none, and "guest:<name>" of people from outside.
func (w *World) wecomMember(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("access_token") != w.wecomToken() {
		w.send(rw, wechatError(40014, "invalid access_token"))
		return
	}
	if name, guest := strings.CutPrefix(q.Get("code"), "guest:"); guest && name != "" {
		w.send(rw, wechatReply(map[string]any{"errcode": 0, "errmsg": "ok", "openid": w.OpenID(name)}))
		return
	}
	member, ok := strings.CutPrefix(q.Get("code"), "staff:")
	if !ok || member == "" {
		w.send(rw, wechatError(40029, "invalid code"))
		return
	}
	if !ofRegion.MatchString(member) {
		member = "320400-" + member
	}
	w.send(rw, wechatReply(map[string]any{"errcode": 0, "errmsg": "ok", "userid": member}))
}

func (w *World) send(rw http.ResponseWriter, a reply) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the caller is gone when this fails
}
