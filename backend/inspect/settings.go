package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Settings are what a person can set. Those of the running server implement it.
type Settings interface {
	Settings() SettingsState
	// Problem says why the configuration file is not followed; "": it is.
	Problem() string
	// Change writes settings to the configuration file and puts them in force. A
	// value is spelled as a flag would be; nil takes it out of the file.
	Change(map[string]*string) error
}

// SettingsState is every setting as it is.
type SettingsState struct {
	File     string    `json:"file" doc:"The configuration file; empty: there is no place for one."`
	Problem  string    `json:"problem" doc:"Why the file is not followed; empty: it is."`
	Settings []Setting `json:"settings" nullable:"false"`
}

// Setting is one of them.
type Setting struct {
	Key          string `json:"key"`
	Group        string `json:"group"`
	Help         string `json:"help"`
	Kind         string `json:"kind" enum:"text,list,bool,number,size,duration,tokens"`
	Value        string `json:"value"`
	Default      string `json:"default"`
	From         string `json:"from" doc:"Where the value comes from."`
	Locked       bool   `json:"locked" doc:"A flag or an environment variable sets it: the file does not count."`
	AfterRestart bool   `json:"after_restart" doc:"A change holds from the next start on."`
	Pending      bool   `json:"pending" doc:"It has been changed and waits for that."`
}

type settingsOutput struct{ Body SettingsState }

type changeInput struct {
	Body struct {
		Changes map[string]*string `json:"changes" doc:"Key to value as a flag would spell it; null: the default."`
	}
}

func (s *Server) registerSettings(api huma.API) {
	none := func() error { return huma.Error404NotFound("this server has no settings to show") }
	huma.Register(api, operation(http.MethodGet, "/api/settings", "getSettings", "Every setting and where it comes from"),
		func(context.Context, *empty) (*settingsOutput, error) {
			if s.o.Settings == nil {
				return nil, none()
			}
			return &settingsOutput{Body: s.o.Settings.Settings()}, nil
		})
	huma.Register(api, operation(http.MethodPatch, "/api/settings", "changeSettings", "Write settings to the configuration file"),
		func(_ context.Context, in *changeInput) (*settingsOutput, error) {
			if s.o.Settings == nil {
				return nil, none()
			}
			if _, ok := in.Body.Changes["tokens"]; ok {
				return nil, huma.Error400BadRequest("tokens are made with tailrace token create")
			}
			if err := s.o.Settings.Change(in.Body.Changes); err != nil {
				return nil, huma.Error400BadRequest(err.Error())
			}
			return &settingsOutput{Body: s.o.Settings.Settings()}, nil
		})
}
