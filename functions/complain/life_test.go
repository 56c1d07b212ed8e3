package complain_test

import (
	"maps"
	"testing"
)

// 投诉→受理→分办→办理→审核→答复→评价, each step by somebody who may, over HTTP.
func TestFromFilingToRating(t *testing.T) {
	t.Parallel()
	w := open(t)
	filed := w.want(w.send("POST", "account-1", "/v1/complaints", "once", sealed(nil)), 201, "")
	id := filed.text("id")
	if again := w.send("POST", "account-1", "/v1/complaints", "once", sealed(nil)); again.body != filed.body || again.status != 201 {
		t.Fatalf("a repeat got %d %s", again.status, again.body)
	}
	w.want(w.send("POST", "account-1", "/v1/complaints", "once", sealed(m{"urgent": true})), 422, "complaint-request-reused")
	if filed.text("rank") != "hardship" || filed.part("accept_by").text("at") != "2026-11-24T00:00:00+08:00" {
		t.Errorf("filed %s", filed.body)
	}
	w.want(w.act(district, id, "acceptance", m{}), 201, "")
	w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 201, "")
	seen := w.want(w.get(clerk, "/v1/staff/complaints/"+id), 200, "")
	if seen.text("brief") != brief || seen.out["whole"] != nil {
		t.Errorf("the unit sees %s", seen.body)
	}
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实漏发一笔，已补发。"}), 201, "")
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "您反映的情况属实，差额已经补发到账，请查收。"}), 201, "")
	followed := w.want(w.get("account-1", "/v1/complaints/"+id), 200, "")
	if followed.text("state") != "replied" || followed.part("reply").text("text") == "" || followed.text("rating_label") != "未评价" {
		t.Errorf("followed %s", followed.body)
	}
	w.want(w.mine("account-1", id, "ratings", m{"rating": "satisfied"}), 201, "")
	if got := w.kinds(id); got != "filed accepted assigned handled reviewed replied rated" {
		t.Errorf("events %s", got)
	}
	if list := w.want(w.get("account-1", "/v1/complaints"), 200, ""); len(list.out["complaints"].([]any)) != 1 {
		t.Errorf("own list %s", list.body)
	}
	w.want(w.get("account-2", "/v1/complaints/"+id), 404, "complaint-not-found")
}

// Everything else that may happen to a complaint, once each.
func TestEverySideStep(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.want(w.get("", "/v1/complaint-modules?place="+township), 200, "")
	code := w.want(w.send("POST", "", "/v1/complaint-codes", "", m{}), 201, "").text("code")
	secret := m{"code": code}
	with := func(more m) m {
		in := m{"code": code}
		maps.Copy(in, more)
		return in
	}
	id := w.want(w.send("POST", "", "/v1/anonymous-complaints", "", with(matter(m{"target_unit": sibling, "target_name": "青龙街道"}))), 201, "").text("id")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/supplements", "", with(m{"text": "还有一位邻居也是这样。"})), 201, "")
	photo := picture()
	w.want(w.send("POST", "", "/v1/anonymous-complaints/documents", "", with(photo)), 201, "")
	w.want(w.act(district, id, "acceptance", m{"rank": "urgent", "note": "断粮，先办。"}), 201, "")
	doc := w.want(w.get(district, "/v1/staff/complaints/"+id), 200, "").out["documents"].([]any)[0].(m)["id"].(string)
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief, "documents": []string{doc}}), 201, "")
	w.want(w.get(countyClerk, "/v1/staff/complaints/"+id+"/documents/"+doc), 200, "")
	w.want(w.act(countyClerk, id, "objections", m{"text": "不属本级管理权限。"}), 201, "")
	w.want(w.act(district, id, "objections/answers", m{"agree": false, "text": "属本级管理权限。"}), 201, "")
	w.want(w.act(countyClerk, id, "extensions", m{"days": 10, "text": "需要调取三年的发放记录。"}), 201, "")
	w.want(w.act(district, id, "extensions/answers", m{"agree": true, "text": "同意。"}), 201, "")
	w.want(w.act(district, id, "pauses", m{"days": 2, "reason": "awaiting_expert", "text": "等待医保部门出具意见。"}), 201, "")
	w.want(w.act(district, id, "pauses/end", m{"text": "意见已到，恢复计时。"}), 201, "")
	w.want(w.act(supervisor, id, "supervision-notes", m{"working_days": 2, "text": "请说明三个月未发放的原因。"}), 201, "")
	note := w.read(id).Notes[0].ID
	w.want(w.act(countyClerk, id, "supervision-notes/"+note+"/answers", m{"text": "系统停机所致，已补发。"}), 201, "")
	w.want(w.act(countyClerk, id, "findings", m{"outcome": "partly_upheld", "text": "部分属实，已整改。"}), 201, "")
	w.want(w.passed(id, countyReviewer), 201, "")
	w.want(w.act(countyClerk, id, "replies", m{"text": "您反映的部分情况属实，已经整改。"}), 201, "")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/lookups", "", secret), 200, "")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/ratings", "", with(m{"rating": "dissatisfied"})), 201, "")
	w.want(w.send("POST", "", "/v1/anonymous-complaints/reopenings", "", with(m{"text": "钱还是没有到。"})), 201, "")
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief}), 201, "")
	w.want(w.act(countyClerk, id, "findings", m{"outcome": "upheld", "text": "已经补发。"}), 201, "")
	w.want(w.passed(id, countyReviewer), 201, "")
	w.want(w.act(countyClerk, id, "replies", m{"text": "已到账。"}), 400, "invalid-fields")
	w.want(w.act(countyClerk, id, "replies", m{"text": "钱已经到账，请查收。"}), 201, "")
	w.want(w.act(supervisor2, id, "look-backs", m{"rectified": true, "text": "电话回访本人，确已到账。"}), 201, "")
	w.want(w.get(district, "/v1/staff/complaints?state=closed&division="+county), 200, "")
	w.want(w.get(district, "/v1/staff/complaint-figures?division="+county), 200, "")
	w.want(w.get("", "/v1/complaint-satisfaction?division="+city), 200, "")

	own := w.filed("account-1", nil)
	w.want(w.mine("account-1", own, "supplements", m{"text": "再补充一点情况。"}), 201, "")
	w.want(w.mine("account-1", own, "documents", photo), 201, "")
	w.want(w.act(district, own, "identity-readings", m{"reason": "verify_facts", "text": "需要向本人核实经过。"}), 201, "")
	w.want(w.act(district, own, "refusal", m{"outcome": "elsewhere", "text": "属于劳动监察事项。"}), 201, "")
	w.want(w.passed(own, supervisor), 201, "")
	w.want(w.act(supervisor, own, "replies", m{"text": "您反映的事项请向劳动监察部门提出。"}), 201, "")
	w.want(w.mine("account-1", own, "ratings", m{"rating": "fairly_satisfied"}), 201, "")
	w.want(w.mine("account-1", own, "reopenings", m{"text": "那边也不受理。"}), 201, "")
	w.want(w.get(district, "/v1/staff/complaints"), 200, "")
	w.want(w.send("POST", clerk2, "/v1/staff/complaints", w.key(), sealed(m{"place": township})), 201, "")
}
