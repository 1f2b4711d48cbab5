import { playThread } from '../../state/testing/scenario.js'
import { ALL_SCENARIOS } from './reclaim-scenarios.js'

playThread(ALL_SCENARIOS)
