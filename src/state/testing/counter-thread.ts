import { COUNTER_SCENARIOS } from './counter-scenarios.js'
import { playThread } from './scenario.js'

playThread(COUNTER_SCENARIOS)
