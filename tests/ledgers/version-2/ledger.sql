-- A ledger of format 2, as a release of 0.1 wrote it on a fixture host: two transcodes in two workloads, and a result file with
-- two scenarios. The files beside it are that release's reports of it (`--by codec --json`, `--by workload --json`, `--json`).
PRAGMA user_version = 2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE subject (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,          -- host, workload, transcode
        name TEXT NOT NULL,
        short_id TEXT NOT NULL,
        scenario TEXT NOT NULL,
        last INTEGER NOT NULL,       -- start of the last bucket with a row of it
        UNIQUE (kind, name, short_id)
    ) STRICT;
INSERT INTO subject VALUES(1,'host','','','',1795861180);
INSERT INTO subject VALUES(2,'workload','system','','',1795861180);
INSERT INTO subject VALUES(3,'transcode','4242-1795861168','','',1795861170);
INSERT INTO subject VALUES(4,'workload','4f1c0a7be95d','4f1c0a7be95d','',1795861170);
INSERT INTO subject VALUES(5,'workload','ffrtmp/job-7','27dae2cd9e65','',1795861170);
INSERT INTO subject VALUES(6,'workload','nginx.service','b7168c9e4219','',1795861170);
INSERT INTO subject VALUES(7,'transcode','4343-1795861168','','',1795861170);
CREATE TABLE bucket (
        slot INTEGER PRIMARY KEY,    -- (start - 1577836800) / 10 * 2^22 + subject
        energy INTEGER NOT NULL,     -- microjoules
        cpu INTEGER NOT NULL         -- microseconds
    ) STRICT;
INSERT INTO bucket VALUES(91446044524545,18331585,10272006);
INSERT INTO bucket VALUES(91446044524546,0,8209703);
INSERT INTO bucket VALUES(91446044524547,10184212,1145725);
INSERT INTO bucket VALUES(91446044524548,12221058,1374869);
INSERT INTO bucket VALUES(91446044524549,2036840,229145);
INSERT INTO bucket VALUES(91446044524550,4073686,458290);
INSERT INTO bucket VALUES(91446044524551,4073686,458290);
INSERT INTO bucket VALUES(91446048718849,77668415,9904437);
INSERT INTO bucket VALUES(91446048718850,0,1166740);
INSERT INTO bucket VALUES(91446048718851,43149116,4854276);
INSERT INTO bucket VALUES(91446048718852,51778950,5825132);
INSERT INTO bucket VALUES(91446048718853,8629816,970856);
INSERT INTO bucket VALUES(91446048718854,17259650,1941711);
INSERT INTO bucket VALUES(91446048718855,5704093,641711);
INSERT INTO bucket VALUES(91446052913153,0,14830232);
INSERT INTO bucket VALUES(91446052913154,0,14830232);
CREATE TABLE known (
        start INTEGER PRIMARY KEY,   -- seconds since 1970, a multiple of 10
        began REAL NOT NULL,
        ended REAL NOT NULL,
        measured INTEGER NOT NULL
    ) STRICT;
INSERT INTO known VALUES(1795861160,1795861165.6615414619,1795861170.0,1);
INSERT INTO known VALUES(1795861170,1795861170.0,1795861180.0,1);
INSERT INTO known VALUES(1795861180,1795861180.0,1795861183.7074482441,1);
CREATE TABLE transcode (
        key TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL NOT NULL,
        workload TEXT NOT NULL,
        scenario TEXT NOT NULL,
        codec TEXT NOT NULL,
        preset TEXT NOT NULL,
        resolution TEXT NOT NULL,
        exit INTEGER,
        energy INTEGER NOT NULL,
        cpu INTEGER NOT NULL,
        measured INTEGER, frames INTEGER, vmaf REAL, psnr REAL, ssim REAL,
        PRIMARY KEY (key, started)
    ) STRICT, WITHOUT ROWID;
INSERT INTO transcode VALUES('4242-1795861168',1795861168.2067742347,1795861180.2071642875,'4f1c0a7be95d','','libx264','fast','640x360',NULL,53333328,6000000000,1,100,NULL,NULL,NULL);
INSERT INTO transcode VALUES('4343-1795861168',1795861168.2067742347,1795861173.7107920646,'nginx.service','','libx264','fast','640x360',NULL,9777779,1100000000,1,NULL,NULL,NULL,NULL);
CREATE TABLE scenario (
        run TEXT NOT NULL,
        name TEXT NOT NULL,
        began REAL NOT NULL,
        ended REAL NOT NULL,
        energy INTEGER NOT NULL,
        cpu INTEGER,
        deviation REAL,
        host REAL,
        matched TEXT NOT NULL,
        measured INTEGER NOT NULL,
        PRIMARY KEY (run, name, began, ended)
    ) STRICT, WITHOUT ROWID;
INSERT INTO scenario VALUES('test_results_1','by name',1795861167.2107255458,1795861181.7175431251,21333336,2400000000,0.63381951083546528291,6.617578216394555568,'container',1);
INSERT INTO scenario VALUES('test_results_1','by overlap',1795861167.2107255458,1795861181.7175431251,63111107,7100000000,2.0507591198384838016,6.617578216394555568,'overlap',1);
CREATE INDEX transcode_by_end ON transcode (ended);
COMMIT;
