BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE "annotations" (
	id INTEGER NOT NULL, 
	clip_id INTEGER, 
	class_path VARCHAR(255) NOT NULL, 
	verdict VARCHAR(8) NOT NULL, 
	start_s DOUBLE, 
	end_s DOUBLE, 
	low_hz DOUBLE, 
	high_hz DOUBLE, 
	annotator VARCHAR(255) NOT NULL, 
	tool VARCHAR(255) NOT NULL, 
	made_at DATETIME NOT NULL, 
	superseded_by_id INTEGER, 
	detection_id VARCHAR(64), 
	recording_id INTEGER, 
	channel VARCHAR(255), 
	start DATETIME, 
	"end" DATETIME, 
	CONSTRAINT pk_annotations PRIMARY KEY (id), 
	CONSTRAINT fk_annotations_superseded_by_id_annotations FOREIGN KEY(superseded_by_id) REFERENCES annotations (id), 
	CONSTRAINT fk_annotations_clip_id_clips FOREIGN KEY(clip_id) REFERENCES clips (id), 
	CONSTRAINT fk_annotations_recording_id_recordings FOREIGN KEY(recording_id) REFERENCES recordings (id)
);
INSERT INTO "annotations" VALUES(1,1,'birds','present',0.25,0.25,0.25,0.25,'annotator-1','tool-1','2026-04-01 05:00:00.250000',NULL,'detection_id-1',1,'marsh:out_1','2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000');
INSERT INTO "annotations" VALUES(2,2,'birds','present',0.5,0.5,0.5,0.5,'annotator-2','tool-2','2026-04-02 05:00:00.250000',1,'detection_id-2',2,'marsh:out_1','2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000');
CREATE TABLE "clips" (
	id INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	store_key VARCHAR(255) NOT NULL, 
	codec VARCHAR(255) NOT NULL, 
	rate_hz INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	seconds DOUBLE NOT NULL, 
	group_id INTEGER NOT NULL, 
	origin JSON NOT NULL, 
	added_at DATETIME NOT NULL, 
	channel VARCHAR(255), 
	start DATETIME, 
	generation INTEGER, 
	class_path VARCHAR(255), 
	score DOUBLE, 
	rule_id INTEGER, 
	destination VARCHAR(255), 
	CONSTRAINT pk_clips PRIMARY KEY (id), 
	CONSTRAINT fk_clips_group_id_groups FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT uq_clips_sha256 UNIQUE (sha256), 
	CONSTRAINT fk_clips_rule_id_recorder_rules FOREIGN KEY(rule_id) REFERENCES recorder_rules (id)
);
INSERT INTO "clips" VALUES(1,'sha256-1','store_key-1','codec-1',1,1,0.25,1,'{"a": 1}','2026-04-01 05:00:00.250000','marsh:out_1','2026-04-01 05:00:00.250000',1,'birds',0.25,1,'destination-1');
INSERT INTO "clips" VALUES(2,'sha256-2','store_key-2','codec-2',2,2,0.5,2,'{"a": 2}','2026-04-02 05:00:00.250000','marsh:out_1','2026-04-02 05:00:00.250000',2,'birds',0.5,2,'destination-2');
CREATE TABLE dataset_versions (
	version VARCHAR(64) NOT NULL, 
	store_key VARCHAR(255) NOT NULL, 
	clips INTEGER NOT NULL, 
	summary JSON NOT NULL, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT pk_dataset_versions PRIMARY KEY (version)
);
INSERT INTO "dataset_versions" VALUES('version-1','store_key-1',1,'{"a": 1}','2026-04-01 05:00:00.250000');
INSERT INTO "dataset_versions" VALUES('version-2','store_key-2',2,'{"a": 2}','2026-04-02 05:00:00.250000');
CREATE TABLE detection_files (
	id INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	day DATE NOT NULL, 
	store_key VARCHAR(255) NOT NULL, 
	detections INTEGER NOT NULL, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT pk_detection_files PRIMARY KEY (id), 
	CONSTRAINT fk_detection_files_generation_generations FOREIGN KEY(generation) REFERENCES generations (number), 
	CONSTRAINT fk_detection_files_source_id_sources FOREIGN KEY(source_id) REFERENCES sources (id), 
	CONSTRAINT uq_detection_files_generation UNIQUE (generation, source_id, day)
);
INSERT INTO "detection_files" VALUES(1,1,1,'2026-04-01','store_key-1',1,'2026-04-01 05:00:00.250000');
INSERT INTO "detection_files" VALUES(2,2,2,'2026-04-02','store_key-2',2,'2026-04-02 05:00:00.250000');
CREATE TABLE detections (
	id VARCHAR(64) NOT NULL, 
	generation INTEGER NOT NULL, 
	channel VARCHAR(255) NOT NULL, 
	start DATETIME NOT NULL, 
	"end" DATETIME NOT NULL, 
	class_path VARCHAR(255) NOT NULL, 
	score DOUBLE NOT NULL, 
	stored_at DATETIME NOT NULL, 
	CONSTRAINT pk_detections PRIMARY KEY (id)
);
INSERT INTO "detections" VALUES('id-1',1,'marsh:out_1','2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000','birds',0.25,'2026-04-01 05:00:00.250000');
INSERT INTO "detections" VALUES('id-2',2,'marsh:out_1','2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000','birds',0.5,'2026-04-02 05:00:00.250000');
CREATE TABLE generations (
	number INTEGER NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	dataset_version VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	manifest JSON NOT NULL, 
	evaluation JSON NOT NULL, 
	made_at DATETIME NOT NULL, 
	exported_at DATETIME, 
	CONSTRAINT pk_generations PRIMARY KEY (number), 
	CONSTRAINT fk_generations_dataset_version_dataset_versions FOREIGN KEY(dataset_version) REFERENCES dataset_versions (version), 
	CONSTRAINT uq_generations_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "generations" VALUES(1,'fingerprint-1','version-1','state-1','{"a": 1}','{"a": 1}','2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000');
INSERT INTO "generations" VALUES(2,'fingerprint-2','version-2','state-2','{"a": 2}','{"a": 2}','2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000');
CREATE TABLE groups (
	id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	side VARCHAR(16), 
	side_given_at DATETIME, 
	CONSTRAINT pk_groups PRIMARY KEY (id), 
	CONSTRAINT uq_groups_key UNIQUE ("key")
);
INSERT INTO "groups" VALUES(1,'key-1','test','2026-04-01 05:00:00.250000');
INSERT INTO "groups" VALUES(2,'key-2','test','2026-04-02 05:00:00.250000');
CREATE TABLE recorder_rules (
	id INTEGER NOT NULL, 
	specification JSON NOT NULL, 
	made_by VARCHAR(255) NOT NULL, 
	made_at DATETIME NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_recorder_rules PRIMARY KEY (id)
);
INSERT INTO "recorder_rules" VALUES(1,'{"a": 1}','made_by-1','2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000');
INSERT INTO "recorder_rules" VALUES(2,'{"a": 2}','made_by-2','2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000');
CREATE TABLE recordings (
	id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	path VARCHAR(4096) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	sha256 VARCHAR(64), 
	codec VARCHAR(255), 
	rate_hz INTEGER, 
	channels INTEGER, 
	start DATETIME NOT NULL, 
	"end" DATETIME, 
	seconds DOUBLE, 
	holes JSON NOT NULL, 
	truncated BOOLEAN NOT NULL, 
	error VARCHAR(1000), 
	warning VARCHAR(1000), exact_start DATETIME, 
	CONSTRAINT pk_recordings PRIMARY KEY (id), 
	CONSTRAINT fk_recordings_source_id_sources FOREIGN KEY(source_id) REFERENCES sources (id), 
	CONSTRAINT uq_recordings_path UNIQUE (path)
);
INSERT INTO "recordings" VALUES(1,1,'/archive/marsh-2026-04-01-05-00-00.opus',1,1,'sha256-1','codec-1',1,1,'2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000',0.25,'[[1.5, 2.5]]',1,'error-1','warning-1','2026-04-01 05:00:00.250000');
INSERT INTO "recordings" VALUES(2,2,'/archive/marsh-2026-04-02-05-00-00.opus',2,2,'sha256-2','codec-2',2,2,'2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000',0.5,'[[1.5, 2.5]]',0,'error-2','warning-2','2026-04-02 05:00:00.250000');
CREATE TABLE shadow_disagreements (
	id INTEGER NOT NULL, 
	stable INTEGER NOT NULL, 
	canary INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	channel VARCHAR(255) NOT NULL, 
	start VARCHAR(255) NOT NULL, 
	stable_class VARCHAR(255) NOT NULL, 
	stable_score DOUBLE NOT NULL, 
	canary_class VARCHAR(255) NOT NULL, 
	canary_score DOUBLE NOT NULL, 
	scores JSON NOT NULL, 
	CONSTRAINT pk_shadow_disagreements PRIMARY KEY (id)
);
INSERT INTO "shadow_disagreements" VALUES(1,1,1,'2026-04-01 05:00:00.250000','marsh:out_1','start-1','stable_class-1',0.25,'canary_class-1',0.25,'{"a": 1}');
INSERT INTO "shadow_disagreements" VALUES(2,2,2,'2026-04-02 05:00:00.250000','marsh:out_1','start-2','stable_class-2',0.5,'canary_class-2',0.5,'{"a": 2}');
CREATE TABLE shadow_hours (
	stable INTEGER NOT NULL, 
	canary INTEGER NOT NULL, 
	hour DATETIME NOT NULL, 
	windows BIGINT NOT NULL, 
	first_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	figures JSON NOT NULL, 
	CONSTRAINT pk_shadow_hours PRIMARY KEY (stable, canary, hour)
);
INSERT INTO "shadow_hours" VALUES(1,1,'2026-04-01 05:00:00.250000',1,'2026-04-01 05:00:00.250000','2026-04-01 05:00:00.250000','{"a": 1}');
INSERT INTO "shadow_hours" VALUES(2,2,'2026-04-02 05:00:00.250000',2,'2026-04-02 05:00:00.250000','2026-04-02 05:00:00.250000','{"a": 2}');
CREATE TABLE sources (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	time_zone VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_sources PRIMARY KEY (id), 
	CONSTRAINT uq_sources_name UNIQUE (name)
);
INSERT INTO "sources" VALUES(1,'name-1','UTC');
INSERT INTO "sources" VALUES(2,'name-2','UTC');
CREATE INDEX ix_recordings_sha256 ON recordings (sha256);
CREATE INDEX ix_recordings_source_start ON recordings (source_id, start);
CREATE INDEX ix_shadow_disagreements_pair ON shadow_disagreements (stable, canary, id);
CREATE INDEX ix_detections_start ON detections (start, id);
CREATE INDEX ix_detections_channel_start ON detections (channel, start);
CREATE INDEX ix_detections_class_start ON detections (class_path, start);
CREATE INDEX ix_clips_group_id ON clips (group_id);
CREATE INDEX ix_clips_channel_start ON clips (channel, start);
CREATE INDEX ix_clips_class_path ON clips (class_path);
CREATE INDEX ix_clips_rule_id ON clips (rule_id);
CREATE INDEX ix_annotations_class_path ON annotations (class_path);
CREATE INDEX ix_annotations_clip_id ON annotations (clip_id);
CREATE INDEX ix_annotations_detection_id ON annotations (detection_id);
CREATE INDEX ix_annotations_recording_id ON annotations (recording_id);
COMMIT;
