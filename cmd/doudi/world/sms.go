package world

import (
	"crypto/hmac"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/sms"
)

func smsReply(response map[string]any) reply {
	response["RequestId"] = "00000000-0000-0000-0000-000000000000"
	body, err := json.Marshal(map[string]any{"Response": response})
	if err != nil {
		return reply{status: http.StatusInternalServerError}
	}
	return reply{status: http.StatusOK, body: body}
}

func smsError(code string) reply {
	return smsReply(map[string]any{"Error": map[string]string{"Code": code, "Message": "refused"}})
}

func smsStatus(number, code, serial string) reply {
	return smsReply(map[string]any{"SendStatusSet": []map[string]any{{"SerialNo": serial, "PhoneNumber": number, "Fee": 1, "Code": code, "Message": code}}})
}

var mobileForm = regexp.MustCompile(`^\+861[3-9]\d{9}$`)

func (w *World) smsSend(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var m struct {
		PhoneNumberSet   []string
		SmsSdkAppId      string
		TemplateId       string
		SignName         string
		TemplateParamSet []string
	}
	malformed := json.Unmarshal(raw, &m) != nil || len(m.PhoneNumberSet) != 1
	line, _ := w.match(callOf{service: "sms", op: "send"})
	w.respond(rw, r, line, func() reply {
		seconds, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
		at := time.Unix(seconds, 0)
		want := sms.Authorization(w.options.Keys.SMSSecretID, w.options.Keys.SMSSecretKey, r.Host, at, raw)
		switch {
		case err != nil || w.now().Sub(at).Abs() > 5*time.Minute:
			return smsError("AuthFailure.SignatureExpire")
		case !hmac.Equal([]byte(want), []byte(r.Header.Get("Authorization"))):
			return smsError("AuthFailure.SignatureFailure")
		case r.Header.Get("X-TC-Action") != sms.Action || r.Header.Get("X-TC-Version") != sms.Version:
			return smsError("InvalidAction")
		case malformed || m.SmsSdkAppId != w.options.Keys.SMSAppID:
			return smsError("UnauthorizedOperation.SmsSdkAppIdVerifyFail")
		case m.SignName != w.options.Keys.SMSSign:
			return smsError("FailedOperation.SignatureIncorrectOrUnapproved")
		case !has(w.options.Keys.SMSTemplates, m.TemplateId):
			return smsError("FailedOperation.TemplateIncorrectOrUnapproved")
		}
		number := m.PhoneNumberSet[0]
		if line.Effect == "code" {
			return smsStatus(number, line.Code, "")
		}
		if !mobileForm.MatchString(number) {
			return smsStatus(number, "InvalidParameterValue.IncorrectPhoneNumber", "")
		}
		data := map[string]string{}
		for i, p := range m.TemplateParamSet {
			if utf8.RuneCountInString(p) > sms.ParameterLimit {
				return smsStatus(number, "InvalidParameterValue.ContentLengthLimit", "")
			}
			data[strconv.Itoa(i+1)] = p
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		msg := Message{"sms", number, "", m.TemplateId, data, w.now()}
		if err := w.journal.append(record{Message: &msg}); err != nil {
			return smsError("InternalError.OtherError")
		}
		w.messages = append(w.messages, msg)
		return smsStatus(number, "Ok", strconv.Itoa(len(w.messages)))
	})
}
