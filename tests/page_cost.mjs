// Measures what the live page costs while it is open: bytes from the agent, and the time of its main thread. See browser.mjs.

import { play, please } from "./browser.mjs";

/** The page is looked at for this time, after it has shown all of its parts. */
const SECONDS = 30;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Compressed bytes of the answers, seconds, and the busy seconds of the main thread, as one line. */
async function open(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Performance.enable");
  let bytes = 0;
  // All bytes of an answer, heads included. The stream of ticks does not end while the page is open.
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  session.on("Network.eventSourceMessageReceived", ({ data }) => (bytes += data.length));
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find((one) => one.name === "TaskDuration").value;
  };
  await pause(5);
  const [before, begin] = [await busy(), performance.now()];
  bytes = 0;
  await pause(SECONDS);
  await please(`${bytes} ${(performance.now() - begin) / 1000} ${(await busy()) - before}`);
}

await play({ open });
