package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Refusing is a wish to refuse: a code from the closed list, and the facts of
// this case in words. There is no code for income or property: on the emergency
// track neither can be a reason (Law art. 50).
type Refusing struct {
	Code   string `json:"code" api:"required,enum=NOT_EMERGENCY|OTHER_SCHEME_COVERS|SAME_CAUSE_REPEAT|FREQUENCY_CAP|REFUSED_CHECK|FALSE_DECLARATION|PUBLIC_EVENT_PLAN|VAGRANT_CHANNEL|DECEASED"`
	Reason string `json:"reason" api:"required,min=10,max=2000,lines"`
}

// RefusedOut is the refusal as the person is told of it (Law art. 45).
type RefusedOut struct {
	Noted
	Code   string `json:"code"`
	Label  string `json:"label"`
	Basis  string `json:"basis"`
	Remedy string `json:"remedy"`
}

// ground is why somebody may be refused, on what basis, and what they can do.
type ground struct{ label, basis, next string }

// grounds is the closed list.
var grounds = map[string]ground{
	"NOT_EMERGENCY":       {"不属于突发性、紧迫性、灾难性困难", "《社会救助法》第二十九条", "情况有变化的，可以随时再次申请；长期困难可以申请最低生活保障等其他救助。"},
	"OTHER_SCHEME_COVERS": {"其他社会救助已经可以解决", "《社会救助法》第二十九条", "我们会协助您办理相应的救助，不需要您另行提交相同材料。"},
	"SAME_CAUSE_REPEAT":   {"同一事由重复申请且无正当理由", "国发〔2014〕47号", "有新的情况或者正当理由的，可以补充说明后再次申请。"},
	"FREQUENCY_CAP":       {"本年度救助次数已达上限", "当地临时救助规定", "确有特殊困难的，可以请乡镇（街道）提请县级协调机制研究（一事一议）。"},
	"REFUSED_CHECK":       {"拒绝配合核对", "《社会救助法》第四十条", "同意核对后可以随时再次申请。"},
	"FALSE_DECLARATION":   {"虚报、隐瞒、伪造有关情况", "《社会救助法》第七十三条", "认为认定有误的，可以提交证明材料要求重新核实。"},
	"PUBLIC_EVENT_PLAN":   {"突发公共事件按专门规定救助", "国发〔2014〕47号", "我们会协助您按专门规定申请。"},
	"VAGRANT_CHANNEL":     {"由救助管理机构给予救助", "《社会救助法》第十五条", "我们会协助您联系救助管理机构。"},
	"DECEASED":            {"求助人已经去世", "《社会救助法》第二十九条", "家庭成员有困难的，可以以本人名义申请。"},
}

// objection is the right that every refusal names (Law art. 45 and 76).
const objection = "对本决定不服的，可以依法申请行政复议或者提起行政诉讼（《社会救助法》第七十六条），也可以拨打12345。"

// refuse ends an application. Only a person may, with a reason and the remedy,
// and nobody who is concerned by it.
func refuse(ctx context.Context, d Deps, call httpapi.Call[Refusing]) (httpapi.Reply[RefusedOut], error) {
	return act(ctx, d, call.Request, wish{action: staff.Refuse}, func(k desk) (application.Step[RefusedOut], error) {
		next, err := k.app.Refuse(k.actor())
		if err != nil {
			return application.Step[RefusedOut]{}, err
		}
		g := grounds[call.Body.Code]
		out := RefusedOut{noted(next), call.Body.Code, g.label, g.basis, g.next + objection}
		e := k.event(next, "refused", event.Facts{"code": out.Code, "label": out.Label, "article": out.Basis, "remedy": out.Remedy})
		e.Reason = out.Code
		if k.app.Findings != nil {
			e.Rules = k.app.Findings.Rules
		}
		if err := k.note(ctx, &e, call.Body.Reason); err != nil {
			return application.Step[RefusedOut]{}, err
		}
		told, err := notice.Owe(notice.Refused, e)
		if err != nil {
			return application.Step[RefusedOut]{}, err
		}
		return application.Step[RefusedOut]{Next: next, Event: e, Also: []table.Write{told}, Out: out}, nil
	})
}
