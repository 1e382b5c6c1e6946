// Cost of energy and of busy CPUs, by the prices of the agent: one cost for the host, for workloads and for encodes.
"use strict";

/** As on bills: 365 days of 24 hours, divided by 12 months. */
const HOURS_PER_MONTH = 730;

const JOULES_PER_KILOWATT_HOUR = 3.6e6;

let prices = {};
const hasPrices = () => prices.per_kilowatt_hour > 0 || prices.per_cpu_hour > 0;
const cash = (value) => money(value, prices.currency ?? "");

/** Both parts and the sum for energy and CPU time; undefined where the energy is unknown or nothing has a price. */
function costOf(joules, cpuSeconds) {
  if (!known(joules) || !hasPrices()) return undefined;
  const energy = (joules / JOULES_PER_KILOWATT_HOUR) * prices.per_kilowatt_hour;
  const machine = ((cpuSeconds ?? 0) / 3600) * prices.per_cpu_hour;
  return { energy, machine, total: energy + machine };
}

/** The cost of an hour like the last tick. What has ended costs nothing more. */
function hourOf(one) {
  if (one.is_running === false || !known(one.power_watts)) return undefined;
  return costOf(one.power_watts * 3600, one.cpu_cores * 3600);
}

const kilowattHours = (joules) => (known(joules) ? amount(joules / JOULES_PER_KILOWATT_HOUR, "kWh", (value) => `${digits(value)} kWh`) : UNKNOWN);
const perHour = (one) => { const hour = hourOf(one); return hour ? `${cash(hour.total)}/h` : UNKNOWN; };
const perMonth = (one) => { const hour = hourOf(one); return hour ? `${cash(hour.total * HOURS_PER_MONTH)}/month` : UNKNOWN; };

/** The parts of a cost as a text, in the currency of the cost before it. */
const partsOf = (cost) => `${money(cost.energy, "").trim()} energy + ${money(cost.machine, "").trim()} machine`;

/** What a cost consists of, with the prices. */
function costExplained() {
  if (!hasPrices()) return "No cost: neither energy nor CPU time has a price (price.per_kwh, price.per_cpu_hour).";
  return `Cost is energy (${cash(prices.per_kilowatt_hour)} per kWh) and machine (${cash(prices.per_cpu_hour)} per hour of one busy CPU). A month is ${HOURS_PER_MONTH} hours like the last tick.`;
}

/** The figures of cost in a drawer, of the host, an encode or a workload. */
const COST_FIGURES = [
  ["Cost per hour", (one) => { const hour = hourOf(one); return hour && `${cash(hour.total)} (${partsOf(hour)})`; }],
  ["Cost per month", (one) => { const hour = hourOf(one); return hour && cash(hour.total * HOURS_PER_MONTH); }],
  ["Cost so far", (one) => { const cost = costOf(one.energy_joules, one.cpu_seconds); return cost && `${cash(cost.total)} (${partsOf(cost)})`; }],
  ["Cost per hour of output", (one) => (known(one.cost_per_output_hour) && hasPrices() ? cash(one.cost_per_output_hour) : undefined)],
  ["Energy in kWh", (one) => (known(one.energy_joules) ? kilowattHours(one.energy_joules) : undefined)],
  // Joules for each second of output are watts.
  ["kWh per hour of output", (one) => (known(one.joules_per_output_second) ? kilowattHours(one.joules_per_output_second * 3600) : undefined)],
  ["CO₂e per hour of output", (one) => (known(one.carbon_grams_per_output_hour) ? grams(one.carbon_grams_per_output_hour) : undefined)],
  ["CO₂e per hour", (one) => (one.is_running !== false && known(one.power_watts) ? grams((one.power_watts / 1000) * prices.carbon_grams_per_kilowatt_hour) : undefined)],
  ["CO₂e so far", (one) => (known(one.energy_joules) ? grams((one.energy_joules / JOULES_PER_KILOWATT_HOUR) * prices.carbon_grams_per_kilowatt_hour) : undefined)],
];
