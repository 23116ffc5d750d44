import cython
from kvserver.engine.executor cimport Engine
from kvserver.engine.session cimport Session
from kvserver.resp cimport Parser
