// Package topic is messages of one to many, between processes.
package topic
