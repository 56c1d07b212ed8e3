package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/wechatline"
	"github.com/doudi-aid/doudi/shared/wecom"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// citizens asks WeChat, whose secret is read at the first sign-in.
type citizens struct {
	line *secrets.Made[wechatline.Program]
}

func (c citizens) Code2Session(ctx context.Context, code string) (wxapp.Identity, error) {
	program, err := c.line.Get(ctx)
	if err != nil {
		return wxapp.Identity{}, wxapp.ErrNoAnswer.Because(err)
	}
	return program.Client.Code2Session(ctx, code)
}

// officers asks the staff's single sign-on, in the same way.
type officers struct{ line *secrets.Made[*wecom.Client] }

func (o officers) Who(ctx context.Context, code, region string) (string, error) {
	client, err := o.line.Get(ctx)
	if err != nil {
		return "", signin.ErrStaffUnavailable.Because(err)
	}
	return signin.WeCom{Client: client}.Who(ctx, code, region)
}
