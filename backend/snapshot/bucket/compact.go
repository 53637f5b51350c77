package bucket

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ParseTarget reads a target as the configuration writes it: a folder, or a
// bucket with how to reach it, such as
// s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1&path_style=true&keyring=NAME.
func ParseTarget(text string) (Target, error) {
	if !IsS3(text) {
		return Target{Location: text}, nil
	}
	location, query, _ := strings.Cut(text, "?")
	t := Target{Location: location}
	if _, _, err := splitS3(location); err != nil {
		return t, err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return t, fmt.Errorf("%q: %w", text, err)
	}
	for name := range values {
		v := values.Get(name)
		switch name {
		case "endpoint":
			t.Endpoint = v
		case "region":
			t.Region = v
		case "keyring":
			t.Keyring = v
		case "path_style":
			if t.PathStyle, err = strconv.ParseBool(v); err != nil {
				return t, fmt.Errorf("path_style is %q, expected true or false", v)
			}
		default:
			return t, fmt.Errorf("unknown setting %q of a bucket (known: endpoint, region, path_style, keyring)", name)
		}
	}
	return t, nil
}
