// All tests in one process, so that the last file sees what the others have called.
import "./application.mjs";
import "./endpoint.mjs";
import "./eventtype.mjs";
import "./message.mjs";
import "./attempt.mjs";
import "./authentication.mjs";
import "./statistics.mjs";
import "./operational.mjs";
import "./poller.mjs";
import "./coverage.mjs";
